#include "broker/privilege.h"

#include <cap-ng.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "broker/config.h"
#include "broker/sandbox.h"

enum { PORT_OF_ALL = 1024 };

#define DEFAULT_USER "linnet"

static bool failed(char why[static PRIVILEGE_WHY_SIZE], const char *what, const char *of)
{
        snprintf(why, PRIVILEGE_WHY_SIZE, "%.40s %.160s: %s", what, of, strerror(errno));
        return false;
}

static bool has_low_port(const struct config *config)
{
        for (unsigned i = 0; i < config->listener_count; i++)
                if (config->listeners[i].type != LISTENER_UNIX &&
                    address_port(&config->listeners[i].address) < PORT_OF_ALL)
                        return true;
        return false;
}

/* What was there before keeps its owner: it may be somebody else's by intent. */
static bool give_paths(const struct config *config, const struct passwd *user,
                       char why[static PRIVILEGE_WHY_SIZE])
{
        int file;

        if (mkdir(config->data_dir, 0700) == 0 &&
            chown(config->data_dir, user->pw_uid, user->pw_gid) != 0)
                return failed(why, "data_dir", config->data_dir);
        if (config->log_file[0] == '\0')
                return true;
        file = open(config->log_file, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0640);
        if (file < 0)
                return errno == EEXIST || failed(why, "log.file", config->log_file);

        bool good = fchown(file, user->pw_uid, user->pw_gid) == 0;

        close(file);
        return good || failed(why, "log.file", config->log_file);
}

static bool become(const struct config *config, const struct passwd *user,
                   char why[static PRIVILEGE_WHY_SIZE])
{
        int result;

        if (initgroups(user->pw_name, user->pw_gid) != 0)
                return failed(why, "the groups of user", user->pw_name);
        capng_clear(CAPNG_SELECT_BOTH);
        if (has_low_port(config))
                capng_update(CAPNG_ADD, CAPNG_EFFECTIVE | CAPNG_PERMITTED,
                             CAP_NET_BIND_SERVICE);
        result = capng_change_id((int)user->pw_uid, (int)user->pw_gid, CAPNG_CLEAR_BOUNDING);
        if (result == 0 && getuid() == user->pw_uid && geteuid() == user->pw_uid)
                return true;
        snprintf(why, PRIVILEGE_WHY_SIZE, "cannot become user %.64s (step %d of libcap-ng)",
                 user->pw_name, result);
        return false;
}

/* Whom to become; *user NULL: nobody. False: `why`. */
static bool find_user(const struct config *config, const struct passwd **user,
                      char why[static PRIVILEGE_WHY_SIZE])
{
        bool named = config->user[0] != '\0';

        *user = NULL;
        if (geteuid() != 0)
                return true;
        *user = getpwnam(named ? config->user : DEFAULT_USER);
        if (*user == NULL && named) {
                snprintf(why, PRIVILEGE_WHY_SIZE, "user: there is no user '%.64s': make it (useradd"
                                                  " --system %.64s), or name another",
                         config->user, config->user);
                return false;
        }
        if (*user != NULL && (*user)->pw_uid == 0)
                *user = NULL;           /* asked for; privilege_log() says so */
        return true;
}

bool privilege_drop(const struct config *config, char why[static PRIVILEGE_WHY_SIZE])
{
        const struct passwd *user;

        return find_user(config, &user, why) &&
               (user == NULL || (give_paths(config, user, why) && become(config, user, why)));
}

bool privilege_become(const struct config *config, char why[static PRIVILEGE_WHY_SIZE])
{
        const struct passwd *user;

        return find_user(config, &user, why) && (user == NULL || become(config, user, why));
}

void privilege_confine(const struct config *config, struct confinement *out)
{
        if (!config->confine) {
                *out = (struct confinement){ "confine is off", "confine is off", "confine is off" };
                return;
        }
        /* Now or never: it cannot be made any more then. The start list says what is wrong. */
        (void)!mkdir(config->data_dir, 0700);
        out->no_new_privileges = prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 ? NULL
                                                                             : strerror(errno);
        out->landlock          = sandbox_files(config);
        out->seccomp           = sandbox_calls();
}

static void log_one(const char *what, const char *why)
{
        if (why != NULL)
                LOG(WARNING, "privilege.missing", F_TEXT("what", what), F_TEXT("why", why));
}

void privilege_log(const struct confinement *confinement)
{
        if (geteuid() == 0)
                LOG(WARNING, "privilege.root",
                    F_TEXT("hint", "the broker runs as root: set user, or make one called linnet"));
        log_one("no_new_privileges", confinement->no_new_privileges);
        log_one("landlock", confinement->landlock);
        log_one("seccomp", confinement->seccomp);
        LOG(INFO, "privilege.kept", F_U64("uid", geteuid()),
            F_TEXT("landlock", confinement->landlock == NULL ? "on" : "off"),
            F_TEXT("seccomp", confinement->seccomp == NULL ? "on" : "off"));
}
