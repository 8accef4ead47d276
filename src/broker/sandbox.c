/* Landlock for files, seccomp for system calls.
 *
 * Calls are denied by a list and not allowed by one: the C library and the libraries change which
 * they use with every release, and a broker that dies of an update is no safer. On the list is what
 * a broker never needs and whoever takes it over does: running programs, other processes, the
 * kernel's configuration, namespaces, identities, raw kinds of sockets. They fail with EPERM. */
#include "broker/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <sched.h>
#include <seccomp.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "broker/config.h"

/* Newer than the headers of Debian 12. */
enum { ACCESS_TRUNCATE = 1 << 14, ABI_TRUNCATE = 3, ABI_REFER = 2 };

enum {
        WRITES = LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_MAKE_REG | ACCESS_TRUNCATE,
        CHANGES = WRITES | LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_REMOVE_DIR |
                  LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_MAKE_SOCK |
                  LANDLOCK_ACCESS_FS_REFER,
        SOCKETS = LANDLOCK_ACCESS_FS_MAKE_SOCK | LANDLOCK_ACCESS_FS_REMOVE_FILE,
        HANDLED = CHANGES | LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_MAKE_CHAR |
                  LANDLOCK_ACCESS_FS_MAKE_BLOCK | LANDLOCK_ACCESS_FS_MAKE_FIFO |
                  LANDLOCK_ACCESS_FS_MAKE_SYM,
};

/* What that version of Landlock knows. */
static unsigned known(unsigned access, long abi)
{
        if (abi < ABI_TRUNCATE)
                access &= ~(unsigned)ACCESS_TRUNCATE;
        if (abi < ABI_REFER)
                access &= ~(unsigned)LANDLOCK_ACCESS_FS_REFER;
        return access;
}

/* False with errno. A path that is not there is not needed. */
static bool allow(int rules, const char *path, unsigned access)
{
        struct landlock_path_beneath_attr rule = { .allowed_access = access };

        rule.parent_fd = open(path, O_PATH | O_CLOEXEC);
        if (rule.parent_fd < 0)
                return errno == ENOENT;

        bool good = syscall(SYS_landlock_add_rule, rules, LANDLOCK_RULE_PATH_BENEATH, &rule,
                            0) == 0;

        close(rule.parent_fd);
        return good;
}

static bool allow_folder_of(int rules, const char *file, unsigned access)
{
        char  folder[CONFIG_PATH_SIZE];
        char *slash;

        snprintf(folder, sizeof folder, "%s", file);
        slash = strrchr(folder, '/');
        if (slash == NULL)
                return allow(rules, ".", access);
        slash[slash == folder] = '\0';
        return allow(rules, folder, access);
}

static bool allow_all(int rules, const struct config *config, long abi)
{
        bool good = allow(rules, config->data_dir, known(CHANGES, abi)) &&
                    allow(rules, "/dev/null", known(LANDLOCK_ACCESS_FS_WRITE_FILE, abi));

        if (config->log_file[0] != '\0')
                good = good && allow_folder_of(rules, config->log_file, known(WRITES, abi));
        if (config->control_socket[0] != '\0')
                good = good && allow_folder_of(rules, config->control_socket, SOCKETS);
        for (unsigned i = 0; i < config->listener_count; i++)
                if (config->listeners[i].type == LISTENER_UNIX)
                        good = good && allow_folder_of(rules, config->listeners[i].bind, SOCKETS);
        return good;
}

const char *sandbox_files(const struct config *config)
{
        long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
        struct landlock_ruleset_attr attr = { .handled_access_fs = known(HANDLED, abi) };
        const char *why = NULL;
        int         rules;

        if (abi < 0)
                return errno == ENOSYS || errno == EOPNOTSUPP ? "the kernel has no Landlock"
                                                              : strerror(errno);
        rules = (int)syscall(SYS_landlock_create_ruleset, &attr, sizeof attr, 0);
        if (rules < 0)
                return strerror(errno);
        if (!allow_all(rules, config, abi) || syscall(SYS_landlock_restrict_self, rules, 0) != 0)
                why = strerror(errno);
        close(rules);
        return why;
}

/* ---- system calls ---------------------------------------------------------------------------- */

static const int denied[] = {
        SCMP_SYS(execve), SCMP_SYS(execveat), SCMP_SYS(fork), SCMP_SYS(vfork),
        SCMP_SYS(ptrace), SCMP_SYS(process_vm_readv), SCMP_SYS(process_vm_writev), SCMP_SYS(kcmp),
        SCMP_SYS(pidfd_getfd), SCMP_SYS(pidfd_open),
        SCMP_SYS(mount), SCMP_SYS(umount2), SCMP_SYS(pivot_root), SCMP_SYS(chroot),
        SCMP_SYS(move_mount), SCMP_SYS(open_tree), SCMP_SYS(fsopen), SCMP_SYS(fsmount),
        SCMP_SYS(mount_setattr), SCMP_SYS(unshare), SCMP_SYS(setns),
        SCMP_SYS(init_module), SCMP_SYS(finit_module), SCMP_SYS(delete_module),
        SCMP_SYS(kexec_load), SCMP_SYS(kexec_file_load), SCMP_SYS(reboot), SCMP_SYS(swapon),
        SCMP_SYS(swapoff), SCMP_SYS(syslog), SCMP_SYS(acct), SCMP_SYS(quotactl),
        SCMP_SYS(sethostname), SCMP_SYS(setdomainname), SCMP_SYS(iopl), SCMP_SYS(ioperm),
        SCMP_SYS(settimeofday), SCMP_SYS(clock_settime), SCMP_SYS(adjtimex),
        SCMP_SYS(clock_adjtime),
        SCMP_SYS(bpf), SCMP_SYS(perf_event_open), SCMP_SYS(userfaultfd), SCMP_SYS(keyctl),
        SCMP_SYS(add_key), SCMP_SYS(request_key), SCMP_SYS(io_uring_setup),
        SCMP_SYS(io_uring_enter), SCMP_SYS(io_uring_register),
        SCMP_SYS(open_by_handle_at), SCMP_SYS(name_to_handle_at), SCMP_SYS(mknod),
        SCMP_SYS(mknodat), SCMP_SYS(personality),
        SCMP_SYS(setuid), SCMP_SYS(setgid), SCMP_SYS(setreuid), SCMP_SYS(setregid),
        SCMP_SYS(setresuid), SCMP_SYS(setresgid), SCMP_SYS(setgroups), SCMP_SYS(setfsuid),
        SCMP_SYS(setfsgid), SCMP_SYS(capset),
};

/* Those that libseccomp does not know for this machine are none that it has. */
static bool deny_listed(scmp_filter_ctx filter)
{
        bool good = true;

        for (size_t i = 0; i < sizeof denied / sizeof denied[0]; i++)
                if (denied[i] >= 0)
                        good &= seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), denied[i], 0) == 0;
        return good;
}

/* A process that is not a thread. What clone3 asks for a filter cannot see: without it the C
 * library makes threads by clone. */
static bool deny_processes(scmp_filter_ctx filter)
{
        return seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(clone), 1,
                                SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_VM, 0)) == 0 &&
               seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0) == 0;
}

static bool deny_sockets(scmp_filter_ctx filter, enum scmp_compare compare, unsigned family)
{
        const struct scmp_arg_cmp is = { .arg = 0, .op = compare, .datum_a = family };

        return seccomp_rule_add_array(filter, SCMP_ACT_ERRNO(EAFNOSUPPORT), SCMP_SYS(socket), 1,
                                      &is) == 0;
}

/* Netlink is how the C library learns whether there is IPv6. */
static bool deny_families(scmp_filter_ctx filter)
{
        bool good = deny_sockets(filter, SCMP_CMP_GT, AF_NETLINK);

        for (unsigned family = 0; family < AF_NETLINK; family++)
                if (family != AF_UNIX && family != AF_INET && family != AF_INET6)
                        good &= deny_sockets(filter, SCMP_CMP_EQ, family);
        return good;
}

const char *sandbox_calls(void)
{
        scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
        const char     *why    = NULL;
        int             result;

        if (filter == NULL)
                return "out of memory";
        if (!deny_listed(filter) || !deny_processes(filter) || !deny_families(filter)) {
                why = "libseccomp does not take the list";
        } else {
                result = seccomp_load(filter);
                why    = result == 0 ? NULL : strerror(-result);
        }
        seccomp_release(filter);
        return why;
}
