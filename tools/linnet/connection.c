#include "connection.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/memory.h"
#include "mqtt/decode.h"
#include "mqtt/encode.h"

enum {
        READ_BYTES       = 65536,
        PACKET_SPARE     = 64,          /* what a packet has besides its strings, at most */
        QUEUED_BYTES_MAX = 1048576,     /* above it no input is asked for */
        CLOSE_SECONDS    = 5,           /* for a last send that makes no progress */
        DRAIN_MS         = 1000,
};

static volatile sig_atomic_t stopped;

static void on_signal(int number)
{
        (void)number;
        stopped = 1;
}

void connection_say(const struct connection *c, const char *format, ...)
{
        va_list values;

        if (c->arguments->quiet)
                return;
        va_start(values, format);
        vfprintf(stderr, format, values);
        va_end(values);
}

static void debug(const struct connection *c, const char *what, enum packet_type type)
{
        if (c->arguments->debug)
                fprintf(stderr, "Client %s %s %s\n",
                        c->arguments->client_id != NULL ? c->arguments->client_id : "(null)", what,
                        packet_name(type));
}

/* ---- sending -------------------------------------------------------------------------------- */

/* Where a packet of at most `size` bytes may be encoded; NULL without memory. */
static void *room(struct connection *c, size_t size)
{
        return buffer_reserve(&c->out, size) ? c->out.bytes + c->out.len : NULL;
}

static bool queued(struct connection *c, enum packet_type type, size_t size)
{
        if (size == 0) {
                connection_say(c, "Error: this %s is too large.\n", packet_name(type));
                return false;
        }
        debug(c, "sending", type);
        c->out.len += size;
        return true;
}

static bool queue_ack(struct connection *c, enum packet_type type, uint16_t id)
{
        struct ack_packet ack = { .packet_id = id };
        void             *to  = room(c, PACKET_SPARE);

        return to != NULL && queued(c, type, encode_ack(to, PACKET_SPARE, c->arguments->version,
                                                        type, &ack));
}

static uint16_t new_id(struct connection *c)
{
        c->last_id = c->last_id == UINT16_MAX ? 1 : (uint16_t)(c->last_id + 1);
        return c->last_id;
}

static bool flush(struct connection *c)
{
        while (buffer_len(&c->out) > 0) {
                struct str bytes = buffer_str(&c->out);
                ssize_t    sent  = send(c->fd, bytes.ptr, bytes.len, MSG_NOSIGNAL);

                if (sent < 0)
                        return errno == EAGAIN || errno == EINTR;
                buffer_consume(&c->out, (size_t)sent);
                c->sent_ms = clock_read().mono_ms;
        }
        return true;
}

bool connection_publish(struct connection *c, const char *topic, struct str payload)
{
        const struct arguments *a       = c->arguments;
        struct publish_packet   publish = {
                .qos        = (uint8_t)a->qos,
                .retain     = a->retain,
                .packet_id  = a->qos > 0 ? new_id(c) : 0,
                .topic      = str_of(topic),
                .payload    = payload,
                .properties = arguments_properties(a, COMMAND_PUBLISH),
        };
        size_t size = publish.topic.len + payload.len + publish.properties.raw.len + PACKET_SPARE;
        void  *to   = room(c, size);

        return queued(c, PACKET_PUBLISH,
                      to != NULL ? encode_publish(to, size, a->version, &publish) : 0);
}

bool connection_subscribe(struct connection *c)
{
        const struct arguments  *a          = c->arguments;
        struct properties        properties = arguments_properties(a, COMMAND_SUBSCRIBE);
        struct subscribe_request request    = { new_id(c), a->topics.count, NULL, &properties };
        struct subscribe_item   *items      = mem_zalloc(a->topics.count * sizeof(*items));
        size_t                   size       = PACKET_SPARE + properties.raw.len;
        void                    *to;
        bool                     done;

        if (items == NULL)
                return false;
        for (unsigned i = 0; i < a->topics.count; i++) {
                items[i].filter              = str_of(a->topics.items[i]);
                items[i].qos                 = (uint8_t)a->qos;
                items[i].retain_as_published = a->version == MQTT_5 && a->retain_as_published;
                items[i].retain_handling     = a->version == MQTT_5 && a->no_stale ? 2 : 0;
                size += items[i].filter.len + 3;
        }
        request.items = items;
        to            = room(c, size);
        done          = queued(c, PACKET_SUBSCRIBE,
                               to != NULL ? encode_subscribe(to, size, a->version, &request) : 0);
        mem_free(items);
        return done;
}

bool connection_unsubscribe(struct connection *c)
{
        const struct arguments    *a          = c->arguments;
        struct properties          properties = arguments_properties(a, COMMAND_UNSUBSCRIBE);
        struct unsubscribe_request request = { new_id(c), a->unsubscribe.count, NULL, &properties };
        struct str                *filters = mem_zalloc(a->unsubscribe.count * sizeof(*filters));
        size_t                     size    = PACKET_SPARE + properties.raw.len;
        void                      *to;
        bool                       done;

        if (filters == NULL)
                return false;
        for (unsigned i = 0; i < a->unsubscribe.count; i++) {
                filters[i] = str_of(a->unsubscribe.items[i]);
                size += filters[i].len + 2;
        }
        request.filters = filters;
        to              = room(c, size);
        size            = to != NULL ? encode_unsubscribe(to, size, a->version, &request) : 0;
        done            = queued(c, PACKET_UNSUBSCRIBE, size);
        mem_free(filters);
        return done;
}

static bool queue_connect(struct connection *c)
{
        const struct arguments *a = c->arguments;
        char                    made[24];
        struct connect_packet   connect = {
                .version      = a->version,
                .clean_start  = !a->keep_session,
                .has_username = a->username != NULL,
                .has_password = a->password != NULL,
                .keep_alive_s = c->keep_alive_s,
                .client_id    = str_of(a->client_id),
                .username     = str_of(a->username),
                .password     = str_of(a->password),
                .properties   = arguments_properties(a, COMMAND_CONNECT),
                .will         = {
                        .present    = a->will_topic != NULL,
                        .qos        = (uint8_t)a->will_qos,
                        .retain     = a->will_retain,
                        .topic      = str_of(a->will_topic),
                        .payload    = str_of(a->will_payload),
                        .properties = arguments_properties(a, COMMAND_WILL),
                },
        };
        size_t size;
        void  *to;

        if (a->client_id == NULL && a->version == MQTT_3_1) {
                snprintf(made, sizeof(made), "linnet-%d", (int)getpid());
                connect.client_id = str_of(made);
        }
        size = connect.client_id.len + connect.username.len + connect.password.len +
               connect.will.topic.len + connect.will.payload.len + connect.properties.raw.len +
               connect.will.properties.raw.len + PACKET_SPARE;
        to   = room(c, size);
        return queued(c, PACKET_CONNECT, to != NULL ? encode_connect(to, size, &connect) : 0);
}

/* ---- receiving ------------------------------------------------------------------------------ */

static bool received_twice(struct connection *c, const struct publish_packet *publish)
{
        uint64_t *word = &c->received[publish->packet_id / 64];
        uint64_t  bit  = (uint64_t)1 << publish->packet_id % 64;
        bool      seen = (*word & bit) != 0;

        *word |= bit;
        return seen;
}

/* Answers what wants an answer; true when the packet is for the caller. */
static bool answer(struct connection *c, const struct packet *packet)
{
        uint16_t id = packet->ack.packet_id;

        debug(c, "received", packet->type);
        if (packet->type == PACKET_PINGRESP) {
                c->ping_ms = 0;
                return false;
        }
        if (packet->type == PACKET_PUBREL) {
                c->received[id / 64] &= ~((uint64_t)1 << id % 64);
                queue_ack(c, PACKET_PUBCOMP, id);
                return false;
        }
        if (packet->type == PACKET_PUBREC && !reason_is_error(packet->ack.reason)) {
                queue_ack(c, PACKET_PUBREL, id);
                return false;
        }
        if (packet->type == PACKET_PUBLISH && packet->publish.qos == 1)
                queue_ack(c, PACKET_PUBACK, packet->publish.packet_id);
        if (packet->type == PACKET_PUBLISH && packet->publish.qos == 2) {
                queue_ack(c, PACKET_PUBREC, packet->publish.packet_id);
                return !received_twice(c, &packet->publish);
        }
        return true;
}

static enum happening lost(const struct connection *c, const char *why)
{
        connection_say(c, "Error: The connection was lost: %s.\n", why);
        return HAPPENED_LOST;
}

/* Takes one packet from what has been read; TIMEOUT when it is not all there. */
static enum happening take(struct connection *c, struct packet *packet)
{
        struct decode_error error;
        struct frame        frame;
        struct str          bytes;

        for (;;) {
                buffer_consume(&c->in, c->taken);
                c->taken = 0;
                bytes    = buffer_str(&c->in);
                switch (frame_peek(bytes, &frame)) {
                case FRAME_BAD:
                        return lost(c, "the broker sent a malformed length");
                case FRAME_PARTIAL:
                        return HAPPENED_TIMEOUT;
                case FRAME_WHOLE:
                        break;
                }
                c->taken = frame.header_size + frame.body_size;
                bytes    = str_from(bytes.ptr + frame.header_size, frame.body_size);
                if (!decode(&frame, bytes, c->arguments->version, packet, &error))
                        return lost(c, error.what);
                if (packet->type == PACKET_DISCONNECT)
                        return lost(c, reason_text(packet->disconnect.reason));
                if (answer(c, packet))
                        return HAPPENED_PACKET;
        }
}

/* True: go on. */
static bool fill(struct connection *c)
{
        ssize_t got;

        if (!buffer_reserve(&c->in, READ_BYTES)) {
                lost(c, "there is no memory");
                return false;
        }
        got = recv(c->fd, c->in.bytes + c->in.len, READ_BYTES, 0);
        if (got > 0)
                c->in.len += (size_t)got;
        if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR)) {
                lost(c, got == 0 ? "the broker closed it" : strerror(errno));
                return false;
        }
        return true;
}

/* Sends PINGREQ when it is time; *wake_ms is when to look again, 0: never. */
static bool keep_alive(struct connection *c, uint64_t now, uint64_t *wake_ms)
{
        uint64_t period = (uint64_t)c->keep_alive_s * 1000;
        void    *to;

        *wake_ms = 0;
        if (period == 0)
                return true;
        if (c->ping_ms > 0) {
                *wake_ms = c->ping_ms + period;
                return now < *wake_ms;
        }
        if (now >= c->sent_ms + period) {
                to = room(c, PACKET_SPARE);
                if (to == NULL ||
                    !queued(c, PACKET_PINGREQ, encode_empty(to, PACKET_SPARE, PACKET_PINGREQ)))
                        return false;
                c->ping_ms = now;
                *wake_ms   = now + period;
                return true;
        }
        *wake_ms = c->sent_ms + period;
        return true;
}

static int wait_for(struct pollfd *fds, uint64_t now, uint64_t wake_ms)
{
        uint64_t        left = wake_ms > now ? wake_ms - now : 0;
        struct timespec time = { (time_t)(left / 1000), (long)(left % 1000) * 1000000 };
        sigset_t        none;

        sigemptyset(&none);
        return ppoll(fds, 2, wake_ms > 0 ? &time : NULL, &none);
}

enum happening connection_next(struct connection *c, struct packet *packet, int input_fd,
                               uint64_t until_ms)
{
        for (;;) {
                struct pollfd  fds[2]   = { { .fd = c->fd }, { .fd = input_fd, .events = POLLIN } };
                enum happening happened = take(c, packet);
                uint64_t       now      = clock_read().mono_ms;
                uint64_t       wake_ms;

                if (happened != HAPPENED_TIMEOUT)
                        return happened;
                if (stopped)
                        return HAPPENED_SIGNAL;
                if (until_ms > 0 && now >= until_ms)
                        return HAPPENED_TIMEOUT;
                if (!keep_alive(c, now, &wake_ms))
                        return lost(c, "the broker does not answer");
                if (!flush(c))
                        return lost(c, strerror(errno));
                if (until_ms > 0 && (wake_ms == 0 || wake_ms > until_ms))
                        wake_ms = until_ms;
                if (buffer_len(&c->out) > QUEUED_BYTES_MAX)
                        fds[1].fd = -1;
                fds[0].events = POLLIN | (buffer_len(&c->out) > 0 ? POLLOUT : 0);
                if (wait_for(fds, now, wake_ms) < 0 && errno != EINTR)
                        return lost(c, strerror(errno));
                if (fds[0].revents & ~POLLOUT && !fill(c))
                        return HAPPENED_LOST;
                if (fds[1].revents != 0 && fds[0].revents == 0)
                        return HAPPENED_INPUT;
        }
}

/* ---- beginning and end ---------------------------------------------------------------------- */

static int dial(const struct connection *c)
{
        struct addrinfo  hints = { .ai_socktype = SOCK_STREAM };
        struct addrinfo *list;
        char             port[8];
        int              fd = -1, failed;

        snprintf(port, sizeof(port), "%u", c->arguments->port);
        failed = getaddrinfo(c->arguments->host, port, &hints, &list);
        if (failed != 0) {
                connection_say(c, "Error: %s: %s\n", c->arguments->host, gai_strerror(failed));
                return -1;
        }
        for (struct addrinfo *at = list; at != NULL && fd < 0; at = at->ai_next) {
                fd = socket(at->ai_family, at->ai_socktype | SOCK_CLOEXEC, at->ai_protocol);
                if (fd >= 0 && connect(fd, at->ai_addr, at->ai_addrlen) != 0) {
                        failed = errno;
                        close(fd);
                        fd = -1;
                }
        }
        freeaddrinfo(list);
        if (fd < 0)
                connection_say(c, "Error: %s\n", strerror(failed));
        return fd;
}

static void catch_signals(void)
{
        struct sigaction action = { .sa_handler = on_signal };
        sigset_t         both;

        sigemptyset(&both);
        sigaddset(&both, SIGINT);
        sigaddset(&both, SIGTERM);
        sigaction(SIGINT, &action, NULL);
        sigaction(SIGTERM, &action, NULL);
        sigprocmask(SIG_BLOCK, &both, NULL);
}

static int greeted(struct connection *c, const struct connack_packet *connack)
{
        const struct properties *p = &connack->properties;

        if (connack->reason != REASON_SUCCESS) {
                connection_say(c, "Connection error: %s.\n", reason_text(connack->reason));
                return c->arguments->version == MQTT_5 ? (int)connack->reason
                                                       : reason_connack_v3(connack->reason);
        }
        if (property_has(p, PROPERTY_RECEIVE_MAXIMUM))
                c->receive_maximum = p->receive_maximum;
        if (property_has(p, PROPERTY_SERVER_KEEP_ALIVE))
                c->keep_alive_s = p->server_keep_alive_s;
        return EXIT_DONE;
}

int connection_open(struct connection *c, const struct arguments *arguments, uint64_t until_ms)
{
        struct packet packet;
        int           one = 1;

        *c = (struct connection){
                .arguments       = arguments,
                .keep_alive_s    = (uint16_t)arguments->keep_alive_s,
                .receive_maximum = UINT16_MAX,
                .sent_ms         = clock_read().mono_ms,
        };
        c->fd = dial(c);
        if (c->fd < 0)
                return EXIT_ERROR;
        catch_signals();
        setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
        fcntl(c->fd, F_SETFL, fcntl(c->fd, F_GETFL) | O_NONBLOCK);
        if (!queue_connect(c))
                return EXIT_ERROR;
        switch (connection_next(c, &packet, -1, until_ms)) {
        case HAPPENED_PACKET:
                if (packet.type == PACKET_CONNACK)
                        return greeted(c, &packet.connack);
                lost(c, "the broker's first packet is no CONNACK");
                return EXIT_LOST;
        case HAPPENED_TIMEOUT:
                connection_say(c, "Timed out\n");
                return EXIT_TIMEOUT;
        case HAPPENED_SIGNAL:
                return EXIT_ERROR;
        case HAPPENED_INPUT:
        case HAPPENED_LOST:
                break;
        }
        return EXIT_LOST;
}

/* Until the broker has closed too: what it sent and nobody read would reset the connection, and
 * could take DISCONNECT with it. */
static void drain(const struct connection *c)
{
        uint64_t until_ms = clock_read().mono_ms + DRAIN_MS;
        char     bytes[4096];

        while (!stopped && clock_read().mono_ms < until_ms) {
                struct pollfd fd = { .fd = c->fd, .events = POLLIN };

                if (poll(&fd, 1, DRAIN_MS) <= 0 || recv(c->fd, bytes, sizeof(bytes), 0) <= 0)
                        return;
        }
}

void connection_close(struct connection *c)
{
        struct disconnect_packet bye = {
                .properties = arguments_properties(c->arguments, COMMAND_DISCONNECT),
        };
        struct timeval patience = { .tv_sec = CLOSE_SECONDS };
        size_t         size     = PACKET_SPARE + bye.properties.raw.len;
        void          *to       = room(c, size);

        if (to == NULL || !queued(c, PACKET_DISCONNECT,
                                  encode_disconnect(to, size, c->arguments->version, &bye)))
                return;
        setsockopt(c->fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
        fcntl(c->fd, F_SETFL, fcntl(c->fd, F_GETFL) & ~O_NONBLOCK);
        if (!flush(c))
                return;
        shutdown(c->fd, SHUT_WR);
        drain(c);
}

void connection_deinit(struct connection *c)
{
        if (c->fd >= 0)
                close(c->fd);
        c->fd = -1;
        buffer_deinit(&c->in);
        buffer_deinit(&c->out);
}
