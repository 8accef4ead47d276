/* The bare relay: what a broker's figures are measured against (`make bench`). The least that can
 * forward MQTT by exact topic through epoll: it reads only what it must, remembers nothing, checks
 * nothing that a well-behaved client would get right, and stands for what the kernel costs anyway.
 *
 *     relay PORT          on 127.0.0.1, until it is killed
 *
 * MQTT 3.1.1. One thread; a turn reads once from each ready socket and writes once to each that
 * got something. Filters are exact topics, or $share/GROUP/TOPIC, whose members take turns (one
 * group a topic). A message keeps its QoS, so subscribers must have asked for as much; a
 * receiver has packet ids of its own, counted up, so not more than 65535 may be unacknowledged.
 * No retained messages, wills, wildcards, sessions, keep alive. A client that does what it
 * should not is hung up on. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <xxhash.h>

enum {
        CONNECT = 1, PUBLISH = 3, PUBACK, PUBREC, PUBREL, PUBCOMP, SUBSCRIBE = 8,
        PINGREQ = 12,
};
enum {
        EVENTS       = 512,
        ACCEPTS      = 64,              /* of one turn */
        READ_BYTES   = 64 * 1024,
        PACKET_MAX   = 1024 * 1024,
        BUFFER_BYTES = 4096,            /* of output at first; empty it goes to a pool as it is */
        OUTPUT_MAX   = 64 * 1024 * 1024, /* beyond it QoS 0 is dropped */
        BUCKETS      = 1 << 20,
};

struct topic;

struct buffer {
        struct buffer *next;            /* in the pool */
        uint32_t       len, sent, size;
        uint8_t        bytes[];
};

struct link {
        int            fd;
        bool           dirty, blocked, dead;
        uint16_t       last_id;
        uint32_t       unacked;         /* QoS 1 and 2 sent to it */
        struct buffer *out;             /* NULL: nothing to send */
        uint8_t       *rest;            /* of a packet that has not come whole; NULL: none */
        uint32_t       rest_len;
        struct topic  *topic;           /* what it published to last */
};

struct topic {
        struct topic  *next;            /* in its bucket */
        struct link  **members;
        uint32_t       count, room, turn;
        uint32_t       swept;           /* `deaths` when those who are gone were last taken out */
        bool           shared;
        uint16_t       len;
        char           name[];
};

static int            poll_fd, door;
static struct topic **topics;           /* [BUCKETS] */
static struct buffer *pool;
static struct link  **dirty;            /* [dirty_room] */
static size_t         dirty_count, dirty_room;
static uint32_t       deaths;           /* links that were hung up on */
static uint8_t       *input;            /* [PACKET_MAX + READ_BYTES]: a rest, and what was read */

static void give_up(const char *what)
{
        fprintf(stderr, "relay: %s: %s\n", what, strerror(errno));
        exit(1);
}

static void *must(void *memory)
{
        if (memory == NULL)
                give_up("memory");
        return memory;
}

/* ---- output ---------------------------------------------------------------------------------- */

static struct buffer *take_buffer(void)
{
        struct buffer *buffer = pool;

        if (buffer != NULL) {
                pool = buffer->next;
                return buffer;
        }
        buffer  = must(malloc(sizeof *buffer + BUFFER_BYTES));
        *buffer = (struct buffer){ .size = BUFFER_BYTES };
        return buffer;
}

static void return_buffer(struct link *link)
{
        struct buffer *buffer = link->out;

        link->out = NULL;
        buffer->len = buffer->sent = 0;
        buffer->next = pool;
        pool         = buffer;
}

static void grow(struct link *link, size_t more)
{
        size_t size = link->out->size;

        while (size < link->out->len + more)
                size *= 2;
        link->out       = must(realloc(link->out, sizeof *link->out + size));
        link->out->size = (uint32_t)size;
}

static void soil(struct link *link)
{
        if (dirty_count == dirty_room) {
                dirty_room = dirty_room * 2 + 64;
                dirty      = must(realloc(dirty, dirty_room * sizeof *dirty));
        }
        link->dirty          = true;
        dirty[dirty_count++] = link;
}

/* Where `size` bytes go that are to be sent. */
static inline uint8_t *room(struct link *link, size_t size)
{
        uint8_t *at;

        if (link->out == NULL)
                link->out = take_buffer();
        if (link->out->size - link->out->len < size)
                grow(link, size);
        if (!link->dirty)
                soil(link);
        at = link->out->bytes + link->out->len;
        link->out->len += (uint32_t)size;
        return at;
}

static inline void answer(struct link *link, uint8_t first, const uint8_t *packet_id)
{
        uint8_t *to = room(link, 4);

        to[0] = first;
        to[1] = 2;
        to[2] = packet_id[0];
        to[3] = packet_id[1];
}

/* `link` is NULL for the door. */
static void watch(int operation, int fd, struct link *link, uint32_t events)
{
        struct epoll_event event = { .events = events, .data.ptr = link };

        if (epoll_ctl(poll_fd, operation, fd, &event) != 0)
                give_up("epoll_ctl");
}

static void flush(struct link *link)
{
        struct buffer *out = link->out;
        ssize_t        sent;

        link->dirty = false;
        if (link->dead || out == NULL)
                return;
        sent = send(link->fd, out->bytes + out->sent, out->len - out->sent, MSG_NOSIGNAL);
        if (sent > 0)
                out->sent += (uint32_t)sent;
        if (out->sent == out->len)
                return_buffer(link);
        if ((link->out != NULL) != link->blocked) {
                link->blocked = !link->blocked;
                watch(EPOLL_CTL_MOD, link->fd, link, EPOLLIN | (link->blocked ? EPOLLOUT : 0));
        }
}

/* ---- topics ---------------------------------------------------------------------------------- */

static struct topic *find_topic(const void *name, size_t len)
{
        struct topic *topic = topics[XXH3_64bits(name, len) % BUCKETS];

        while (topic != NULL && (topic->len != len || memcmp(topic->name, name, len) != 0))
                topic = topic->next;
        return topic;
}

static struct topic *make_topic(const void *name, size_t len)
{
        struct topic **bucket = &topics[XXH3_64bits(name, len) % BUCKETS];
        struct topic  *topic  = must(calloc(1, sizeof *topic + len));

        topic->len = (uint16_t)len;
        memcpy(topic->name, name, len);
        topic->next = *bucket;
        *bucket     = topic;
        return topic;
}

static void join(struct link *link, const char *filter, size_t len)
{
        bool          shared = len > 7 && memcmp(filter, "$share/", 7) == 0;
        const char   *slash  = shared ? memchr(filter + 7, '/', len - 7) : NULL;
        struct topic *topic;

        if (slash != NULL) {
                len -= (size_t)(slash + 1 - filter);
                filter = slash + 1;
        }
        topic = find_topic(filter, len);
        if (topic == NULL)
                topic = make_topic(filter, len);
        if (topic->count == topic->room) {
                topic->room    = topic->room * 2 + 1;
                topic->members = must(realloc(topic->members,
                                              topic->room * sizeof topic->members[0]));
        }
        topic->shared = shared;
        topic->members[topic->count++] = link;
}

/* A link does not know its topics, so who is gone is taken out when a topic is used next. */
static void forget_dead(struct topic *topic)
{
        uint32_t kept = 0;

        topic->swept = deaths;

        for (uint32_t i = 0; i < topic->count; i++)
                if (!topic->members[i]->dead)
                        topic->members[kept++] = topic->members[i];
        topic->count = kept;
}

/* ---- packets --------------------------------------------------------------------------------- */

struct publish {
        const uint8_t *packet, *packet_id, *end;
        uint8_t        qos;
};

static inline void forward(struct link *to, const struct publish *publish)
{
        size_t   size = (size_t)(publish->end - publish->packet);
        uint8_t *at;

        if (publish->qos == 0 && to->out != NULL && to->out->len > OUTPUT_MAX)
                return;
        at = room(to, size);
        memcpy(at, publish->packet, size);
        at[0] &= 0xf6;                  /* neither DUP nor RETAIN */
        if (publish->qos == 0)
                return;
        if (++to->unacked > UINT16_MAX)
                give_up("more than 65535 unacknowledged");
        if (++to->last_id == 0)
                to->last_id = 1;
        at += publish->packet_id - publish->packet;
        at[0] = (uint8_t)(to->last_id >> 8);
        at[1] = (uint8_t)to->last_id;
}

static bool on_publish(struct link *link, const uint8_t *packet, const uint8_t *body,
                       const uint8_t *end)
{
        size_t         len     = end - body >= 2 ? (size_t)(body[0] << 8 | body[1]) : 0;
        struct publish publish = { .packet = packet, .packet_id = body + 2 + len, .end = end,
                                   .qos = packet[0] >> 1 & 3 };
        struct topic  *topic   = link->topic;

        if (len == 0 || publish.packet_id + (publish.qos > 0 ? 2 : 0) > end || publish.qos > 2)
                return false;
        if (publish.qos > 0)
                answer(link, (uint8_t)((publish.qos == 1 ? PUBACK : PUBREC) << 4),
                       publish.packet_id);
        if (topic == NULL || topic->len != len || memcmp(topic->name, body + 2, len) != 0)
                topic = link->topic = find_topic(body + 2, len);
        if (topic == NULL)
                return true;
        if (topic->swept != deaths)
                forget_dead(topic);
        if (topic->shared && topic->count > 0)
                forward(topic->members[topic->turn++ % topic->count], &publish);
        else
                for (uint32_t i = 0; i < topic->count; i++)
                        forward(topic->members[i], &publish);
        return true;
}

static bool on_subscribe(struct link *link, const uint8_t *body, const uint8_t *end)
{
        uint8_t        codes[PACKET_MAX / 4];
        size_t         count = 0, n = 1;
        const uint8_t *id    = body;
        uint8_t       *to, header[5] = { 0x90 };

        for (body += 2; body + 2 <= end && count < sizeof codes; count++) {
                size_t len = (size_t)(body[0] << 8 | body[1]);

                if (body + 2 + len + 1 > end || len == 0 || body[2 + len] > 2)
                        return false;
                codes[count] = body[2 + len];
                join(link, (const char *)body + 2, len);
                body += 2 + len + 1;
        }
        if (body != end || count == 0)
                return false;
        for (size_t left = count + 2; left > 0; left >>= 7)
                header[n++] = (uint8_t)((left & 127) | (left > 127 ? 128 : 0));
        to = room(link, n + 2 + count);
        memcpy(to, header, n);
        memcpy(to + n, id, 2);
        memcpy(to + n + 2, codes, count);
        return true;
}

static bool on_connect(struct link *link, const uint8_t *body, const uint8_t *end)
{
        if (end - body < 7 || memcmp(body, "\0\4MQTT\4", 7) != 0)
                return false;
        memcpy(room(link, 4), "\x20\2\0\0", 4);
        return true;
}

static bool on_packet(struct link *link, const uint8_t *packet, const uint8_t *body,
                      const uint8_t *end)
{
        unsigned type = packet[0] >> 4;

        if (type == PUBLISH)
                return on_publish(link, packet, body, end);
        if (type == CONNECT)
                return on_connect(link, body, end);
        if (type == PINGREQ) {
                memcpy(room(link, 2), "\xd0\0", 2);
                return true;
        }
        if (end - body < 2)
                return false;
        if (type == SUBSCRIBE)
                return on_subscribe(link, body, end);
        if (type == PUBREC)
                answer(link, PUBREL << 4 | 2, body);
        else if (type == PUBREL)
                answer(link, PUBCOMP << 4, body);
        else if (type == PUBACK || type == PUBCOMP)
                link->unacked--;
        else
                return false;
        return true;
}

/* The size of the header and, in *size, of the whole packet; 0: not all of the header is there. */
static inline size_t read_header(const uint8_t *at, size_t len, size_t *size)
{
        size_t body = 0;

        for (size_t i = 1; i < len && i < 5; i++) {
                body |= (size_t)(at[i] & 127) << 7 * (i - 1);
                if (at[i] < 128) {
                        *size = 1 + i + body;
                        return 1 + i;
                }
        }
        return 0;
}

/* ---- sockets --------------------------------------------------------------------------------- */

static void hang_up(struct link *link)
{
        close(link->fd);
        deaths++;
        link->dead = true;              /* its memory stays: topics and `dirty` point to it */
        if (link->out != NULL)
                return_buffer(link);
        free(link->rest);
        link->rest = NULL;
}

static bool keep_rest(struct link *link, const uint8_t *at, size_t len)
{
        size_t size = 0;

        free(link->rest);
        link->rest     = NULL;
        link->rest_len = (uint32_t)len;
        if (len == 0)
                return true;
        if ((read_header(at, len, &size) == 0 && len >= 5) || size > PACKET_MAX)
                return false;
        link->rest = must(malloc(len));
        memcpy(link->rest, at, len);
        return true;
}

static bool read_link(struct link *link)
{
        uint8_t *at = input, *end;
        size_t   header, size;
        ssize_t  got = recv(link->fd, input + link->rest_len, READ_BYTES, 0);

        if (got <= 0)
                return got < 0 && (errno == EAGAIN || errno == EINTR);
        if (link->rest_len > 0)
                memcpy(input, link->rest, link->rest_len);
        end = input + link->rest_len + got;
        while ((header = read_header(at, (size_t)(end - at), &size)) > 0 &&
               size <= (size_t)(end - at)) {
                if (!on_packet(link, at, at + header, at + size))
                        return false;
                at += size;
        }
        if (at == end && link->rest_len == 0)
                return true;
        return keep_rest(link, at, (size_t)(end - at));
}

static void accept_links(void)
{
        for (int i = 0, on = 1; i < ACCEPTS; i++) {
                struct link *link;
                int          fd = accept4(door, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

                if (fd < 0)
                        return;
                setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
                link     = must(calloc(1, sizeof *link));
                link->fd = fd;
                watch(EPOLL_CTL_ADD, fd, link, EPOLLIN);
        }
}

static void open_door(uint16_t port)
{
        struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(port) };
        int                on      = 1;

        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        door = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        if (setsockopt(door, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
            bind(door, (struct sockaddr *)&address, sizeof address) != 0 ||
            listen(door, 4096) != 0)
                give_up("listen");
        poll_fd = epoll_create1(EPOLL_CLOEXEC);
        watch(EPOLL_CTL_ADD, door, NULL, EPOLLIN);
}

static void turn(void)
{
        struct epoll_event events[EVENTS];
        int                count = epoll_wait(poll_fd, events, EVENTS, -1);

        for (int i = 0; i < count; i++) {
                struct link *link = events[i].data.ptr;

                if (link == NULL)
                        accept_links();
                else if ((events[i].events & ~(uint32_t)EPOLLOUT) != 0 && !read_link(link))
                        hang_up(link);
                else if ((events[i].events & EPOLLOUT) != 0 && !link->dirty)
                        soil(link);
        }
        for (size_t i = 0; i < dirty_count; i++)
                flush(dirty[i]);
        dirty_count = 0;
}

int main(int count, char **arguments)
{
        unsigned long port = count == 2 ? strtoul(arguments[1], NULL, 10) : 0;

        if (port == 0 || port > UINT16_MAX) {
                fputs("usage: relay PORT\n", stderr);
                return 2;
        }
        topics = must(calloc(BUCKETS, sizeof *topics));
        input  = must(malloc(PACKET_MAX + READ_BYTES));
        open_door((uint16_t)port);
        for (;;)
                turn();
}
