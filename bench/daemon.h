/* A linnetd of a benchmark's own: on a port that the kernel chose, with a data folder that goes
 * when it goes. */
#ifndef LINNET_BENCH_DAEMON_H
#define LINNET_BENCH_DAEMON_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum { DAEMON_PATH_SIZE = 512 };

struct daemon {
        pid_t    pid;
        uint16_t port;                          /* on 127.0.0.1 */
        char     folder[DAEMON_PATH_SIZE];
};

/* What the process has used since its start. */
struct daemon_usage {
        uint64_t cpu_ns;                        /* of all its threads */
        uint64_t written_bytes;                 /* that it had the kernel write to the disk */
};

/* Starts the program with these options (KEY=VALUE, NULL at the end), its folder under `under`.
 * False: it said why. daemon_stop() in either case. */
bool daemon_start(struct daemon *daemon, const char *program, const char *under,
                  const char *const options[]);
void daemon_stop(struct daemon *daemon);        /* kills it: nobody waits for what it has to save */

bool daemon_usage(const struct daemon *daemon, struct daemon_usage *out);

#endif
