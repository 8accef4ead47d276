/* What started the daemon, when it is systemd or speaks like it: it is told how things stand, hands
 * over sockets that listen already, and restarts a broker that does not beat. Without it nothing
 * here does anything. One thread. */
#ifndef LINNET_BROKER_SUPERVISOR_H
#define LINNET_BROKER_SUPERVISOR_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/un.h>

enum { SUPERVISOR_SOCKETS_MAX = 64, SUPERVISOR_NAME_SIZE = 256 };

struct supervisor {
        struct sockaddr_un name;                /* where it is told; sun_family 0: nowhere */
        socklen_t          name_len;
        int                fd;
        uint32_t           beat_ms;             /* tell it that often; 0: it does not ask */
        unsigned           socket_count;
        struct {
                int  fd;                        /* -1: taken */
                char name[SUPERVISOR_NAME_SIZE];
        } sockets[SUPERVISOR_SOCKETS_MAX];
};

/* From NOTIFY_SOCKET, WATCHDOG_USEC, LISTEN_FDS and what belongs to them, as far as they are meant
 * for this process. They are taken out of the environment. */
void supervisor_init(struct supervisor *s);

/* "READY=1", or several such lines. Lost when nobody listens. */
void supervisor_tell(const struct supervisor *s, const char *state);
void supervisor_reloading(const struct supervisor *s);  /* and READY=1 when it is over */

/* The next socket that was handed over under this name, which is the caller's from then on: it does
 * not block, and no child inherits it. -1: there is none. */
int supervisor_take(struct supervisor *s, const char *name);

/* Closes what nobody took; the names, with spaces between, cut to fit. */
void supervisor_close_rest(struct supervisor *s, char *names, unsigned size);

#endif
