#include "broker/upkeep.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/log.h"
#include "base/memory.h"
#include "broker/commands.h"
#include "broker/reload.h"
#include "services/admin/control.h"

enum { LOOK_MS_MAX = 2000 };            /* within which a ban is in its file */

struct upkeep {
        const struct sources *sources;
        struct config        *config;
        struct server        *server;
        struct supervisor    *supervisor;
        struct loop          *loop;
        struct control       *control;          /* NULL: there is none */
        struct commands      *commands;
        struct watch          signals;
        struct timer          look;
        int                   end;              /* the signal that ends it; 0: none yet */
};

static void on_signal(struct watch *watch, unsigned events);
static void on_look(struct loop *loop, struct timer *timer);

/* The shorter of the two, unless that is 0: never. */
static uint32_t shorter(uint32_t a_ms, uint32_t b_ms)
{
        return b_ms == 0 || (a_ms != 0 && a_ms < b_ms) ? a_ms : b_ms;
}

static bool open_signals(struct upkeep *upkeep)
{
        sigset_t signals;

        sigemptyset(&signals);
        sigaddset(&signals, SIGTERM);
        sigaddset(&signals, SIGINT);
        sigaddset(&signals, SIGHUP);
        upkeep->signals.fd    = signalfd(-1, &signals, SFD_NONBLOCK | SFD_CLOEXEC);
        upkeep->signals.ready = on_signal;
        if (upkeep->signals.fd >= 0 &&
            poll_add(upkeep->loop->config.poll, &upkeep->signals, POLL_READ))
                return true;
        LOG(ERROR, "start.failed", F_TEXT("step", "signals"), F_TEXT("reason", strerror(errno)));
        return false;
}

static void open_control(struct upkeep *upkeep)
{
        char path[CONFIG_PATH_SIZE], why[CONTROL_WHY_SIZE];

        if (!config_control(upkeep->config, path))
                return;
        upkeep->control = control_open(server_admin(upkeep->server), path, why);
        if (upkeep->control == NULL)
                LOG(ERROR, "control.unusable", F_TEXT("path", path), F_TEXT("reason", why),
                    F_TEXT("hint", "set control.socket to another path, or to off"));
}

struct upkeep *upkeep_new(const struct sources *sources, struct config *config,
                          struct server *server, struct supervisor *supervisor)
{
        struct upkeep *upkeep = mem_zalloc(sizeof *upkeep);

        if (upkeep == NULL)
                return NULL;
        upkeep->sources    = sources;
        upkeep->config     = config;
        upkeep->server     = server;
        upkeep->supervisor = supervisor;
        upkeep->loop       = admin_loop(server_admin(server));
        upkeep->look.fire  = on_look;
        upkeep->commands   = commands_new(sources, config, server);
        if (upkeep->commands != NULL && open_signals(upkeep)) {
                open_control(upkeep);
                return upkeep;
        }
        upkeep_free(upkeep);
        return NULL;
}

ON_SHARD static void look_again(struct upkeep *upkeep)
{
        loop_timer(upkeep->loop, &upkeep->look,
                   shorter(shorter(upkeep->config->acl_watch_ms, upkeep->supervisor->beat_ms),
                           LOOK_MS_MAX));
}

static void on_look(struct loop *loop, struct timer *timer)
{
        struct upkeep *upkeep = list_entry(timer, struct upkeep, look);

        on_shard(loop);
        if (upkeep->supervisor->beat_ms > 0 && server_beats(upkeep->server))
                supervisor_tell(upkeep->supervisor, "WATCHDOG=1");
        if (!server_look(upkeep->server))
                LOG(ERROR, "reload.failed", F_TEXT("reason", "out of memory"));
        look_again(upkeep);
}

static void take_hangup(struct upkeep *upkeep)
{
        struct config_errors errors = { .count = 0 };

        supervisor_reloading(upkeep->supervisor);
        reload(upkeep->sources, upkeep->config, upkeep->server, &errors, NULL, NULL);
        config_errors_deinit(&errors);
        supervisor_tell(upkeep->supervisor, "READY=1");
}

static void on_signal(struct watch *watch, unsigned events)
{
        struct upkeep          *upkeep = list_entry(watch, struct upkeep, signals);
        struct signalfd_siginfo info;

        (void)events;
        on_shard(upkeep->loop);
        if (read(watch->fd, &info, sizeof info) != sizeof info)
                return;
        if (info.ssi_signo == SIGHUP) {
                take_hangup(upkeep);
        } else if (upkeep->end == 0) {
                upkeep->end = (int)info.ssi_signo;
                loop_stop(upkeep->loop);
        }
}

int upkeep_run(struct upkeep *upkeep)
{
        role_claim(upkeep->loop);
        look_again(upkeep);
        if (upkeep->control != NULL)
                control_start(upkeep->control);
        role_leave();
        loop_run(upkeep->loop);
        return upkeep->end;
}

void upkeep_free(struct upkeep *upkeep)
{
        if (upkeep == NULL)
                return;
        control_close(upkeep->control);
        role_claim(upkeep->loop);
        loop_timer_cancel(upkeep->loop, &upkeep->look);
        role_leave();
        poll_remove(&upkeep->signals);
        if (upkeep->signals.fd > 0)
                close(upkeep->signals.fd);
        commands_free(upkeep->commands);
        mem_free(upkeep);
}
