#include "bench/load.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/memory.h"
#include "mqtt/decode.h"
#include "mqtt/encode.h"

enum { MONITOR, SUBSCRIBER, FIRST_PUBLISHER };
enum { READ_BYTES = 65536, EVENTS = 128, ANSWER_SECONDS = 10, PACKET_SPARE = 128 };

struct load_link {
        struct load  *load;
        int           fd;
        bool          ready;            /* CONNACK, or SUBACK, has come */
        struct buffer in, out;
        uint16_t      last_id;
        unsigned      sent;             /* without an acknowledgement; these come in order: */
        unsigned      oldest;           /* where in sent_ns the next one's time is */
        uint64_t     *sent_ns;          /* [plan.window]; owned */
        char          topic[32];
};

static uint64_t now_ns(void)
{
        struct timespec now;

        clock_gettime(CLOCK_MONOTONIC, &now);
        return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

__attribute__((format(printf, 2, 3)))
static void fail(struct load *load, const char *format, ...)
{
        va_list values;

        if (load->failed)
                return;
        load->failed = true;
        va_start(values, format);
        vfprintf(stderr, format, values);
        va_end(values);
        fputc('\n', stderr);
}

/* ---- latencies ------------------------------------------------------------------------------- */

static unsigned bucket_of(uint64_t us)
{
        unsigned shift = us < LOAD_STEPS ? 0 : 58 - (unsigned)__builtin_clzll(us);
        uint64_t at    = LOAD_STEPS * shift + (us >> shift);

        return at < LOAD_BUCKETS ? (unsigned)at : LOAD_BUCKETS - 1;
}

/* The middle of what falls into it. */
static double bucket_us(unsigned at)
{
        unsigned shift = at < 2 * LOAD_STEPS ? 0 : at / LOAD_STEPS - 1;

        return ((double)(at - LOAD_STEPS * shift) + 0.5) * (double)(1ULL << shift);
}

double load_latency_ms(const struct load_counts *counts, double quantile)
{
        double   wanted = quantile * (double)counts->acknowledged;
        uint64_t seen   = 0;

        for (unsigned i = 0; i < LOAD_BUCKETS; i++) {
                seen += counts->latencies[i];
                if (seen > 0 && (double)seen >= wanted)
                        return bucket_us(i) / 1000;
        }
        return 0;
}

/* ---- sending --------------------------------------------------------------------------------- */

static void flush(struct load_link *link)
{
        while (buffer_len(&link->out) > 0) {
                struct str bytes = buffer_str(&link->out);
                ssize_t    sent  = send(link->fd, bytes.ptr, bytes.len, MSG_NOSIGNAL);

                if (sent >= 0) {
                        buffer_consume(&link->out, (size_t)sent);
                        continue;
                }
                if (errno != EAGAIN && errno != EINTR)
                        fail(link->load, "send: %s", strerror(errno));
                if (errno != EINTR)
                        return;
        }
}

/* Room for a packet; what was encoded there is added to out.len. */
static void *room(struct load_link *link, size_t size)
{
        if (buffer_reserve(&link->out, size))
                return link->out.bytes + link->out.len;
        fail(link->load, "out of memory");
        return NULL;
}

static void fill_window(struct load_link *link)
{
        const struct load_plan *plan = &link->load->plan;
        size_t                  size = plan->payload + PACKET_SPARE;
        uint64_t                now  = now_ns();

        while (link->sent < plan->window) {
                struct publish_packet publish = {
                        .qos     = 1,
                        .topic   = str_of(link->topic),
                        .payload = buffer_str(&link->load->payload),
                };
                void *to = room(link, size);

                if (to == NULL)
                        return;
                link->last_id     = link->last_id == UINT16_MAX ? 1 : (uint16_t)(link->last_id + 1);
                publish.packet_id = link->last_id;
                link->out.len += encode_publish(to, size, MQTT_3_1_1, &publish);
                link->sent_ns[(link->oldest + link->sent++) % plan->window] = now;
        }
        flush(link);
}

static void acknowledge(struct load_link *link, uint16_t packet_id)
{
        struct ack_packet ack = { .packet_id = packet_id };
        void             *to  = room(link, PACKET_SPARE);

        if (to != NULL)
                link->out.len += encode_ack(to, PACKET_SPARE, MQTT_3_1_1, PACKET_PUBACK, &ack);
}

/* ---- receiving ------------------------------------------------------------------------------- */

static void on_puback(struct load_link *link, uint64_t now)
{
        struct load_counts *counts = &link->load->counts;
        uint64_t            us     = (now - link->sent_ns[link->oldest]) / 1000;

        if (link->sent == 0) {
                fail(link->load, "a PUBACK for nothing");
                return;
        }
        link->oldest = (link->oldest + 1) % link->load->plan.window;
        link->sent--;
        counts->acknowledged++;
        counts->latencies[bucket_of(us)]++;
}

/* $SYS/brokers/NODE/store/NAME */
static void on_figure(struct load *load, const struct publish_packet *publish, uint64_t now)
{
        static const char *const names[LOAD_FIGURES] = {
                [LOAD_COMMITS]   = "/store/commits",
                [LOAD_RECORDS]   = "/store/records",
                [LOAD_COMMIT_US] = "/store/commit_us",
        };
        struct load_counts *counts = &load->counts;
        char                text[32];

        snprintf(text, sizeof text, "%.*s", STR_ARGS(publish->payload));
        for (unsigned i = 0; i < LOAD_FIGURES; i++) {
                struct str name = str_of(names[i]), topic = publish->topic;

                if (topic.len < name.len || !str_eq(str_skip(topic, topic.len - name.len), name))
                        continue;
                counts->last[i] = strtoull(text, NULL, 10);
                if (!counts->heard[i])
                        counts->first[i] = counts->last[i];
                counts->heard[i] = true;
                if (i == LOAD_COMMITS) {
                        counts->heard_ns[1] = now;
                        if (counts->heard_ns[0] == 0)
                                counts->heard_ns[0] = now;
                }
        }
}

static void on_packet(struct load_link *link, const struct packet *packet, uint64_t now)
{
        struct load *load = link->load;

        if (packet->type == PACKET_PUBACK) {
                on_puback(link, now);
        } else if (packet->type == PACKET_PUBLISH) {
                if (packet->publish.qos > 0) {
                        acknowledge(link, packet->publish.packet_id);
                        load->counts.received++;
                } else {
                        on_figure(load, &packet->publish, now);
                }
        } else if (packet->type == PACKET_SUBACK ||
                   (packet->type == PACKET_CONNACK && packet->connack.reason == REASON_SUCCESS)) {
                link->ready = true;
        } else {
                fail(load, "an unexpected %s", packet_name(packet->type));
        }
}

static void take_packets(struct load_link *link)
{
        struct str          bytes = buffer_str(&link->in);
        uint64_t            now   = now_ns();
        size_t              taken = 0;
        struct frame        frame;
        struct packet       packet;
        struct decode_error error;

        while (frame_peek(str_skip(bytes, taken), &frame) == FRAME_WHOLE && !link->load->failed) {
                struct str body = str_from(bytes.ptr + taken + frame.header_size, frame.body_size);

                if (!decode(&frame, body, MQTT_3_1_1, &packet, &error))
                        fail(link->load, "a bad packet: %s", error.what);
                else
                        on_packet(link, &packet, now);
                taken += frame.header_size + frame.body_size;
        }
        buffer_consume(&link->in, taken);
}

/* All that has come, or (a blocking socket) what comes first. */
static void receive(struct load_link *link)
{
        ssize_t got = 1;

        while (got > 0 && !link->load->failed) {
                if (!buffer_reserve(&link->in, READ_BYTES)) {
                        fail(link->load, "out of memory");
                        return;
                }
                got = recv(link->fd, link->in.bytes + link->in.len, READ_BYTES, 0);
                if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR))
                        fail(link->load, "a connection was lost");
                if (got > 0)
                        link->in.len += (size_t)got;
                take_packets(link);
                if (got < READ_BYTES)
                        return;
        }
}

/* ---- connecting ------------------------------------------------------------------------------ */

/* Sends what is queued and waits for the answer to it. */
static bool ask(struct load_link *link, const char *what)
{
        link->ready = false;
        flush(link);
        for (uint64_t until = now_ns() + ANSWER_SECONDS * 1000000000ULL;
             !link->ready && !link->load->failed;) {
                receive(link);
                if (now_ns() > until)
                        fail(link->load, "no answer to %s", what);
        }
        return !link->load->failed;
}

static bool open_socket(struct load_link *link)
{
        struct sockaddr_in address = { .sin_family = AF_INET,
                                       .sin_port   = htons(link->load->plan.port) };
        struct timeval     patience = { .tv_sec = 1 };
        int                on       = 1;

        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        link->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (link->fd >= 0 && connect(link->fd, (struct sockaddr *)&address, sizeof address) == 0 &&
            setsockopt(link->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) == 0 &&
            setsockopt(link->fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience) == 0)
                return true;
        fail(link->load, "connect: %s", strerror(errno));
        return false;
}

static bool log_in(struct load_link *link, const char *client_id, bool clean)
{
        struct connect_packet connect = {
                .version = MQTT_3_1_1, .clean_start = clean, .client_id = str_of(client_id)
        };
        void *to;

        if (!open_socket(link) || (to = room(link, PACKET_SPARE)) == NULL)
                return false;
        link->out.len += encode_connect(to, PACKET_SPARE, &connect);
        return ask(link, "CONNECT");
}

static bool subscribe(struct load_link *link, const char *filter, unsigned qos)
{
        struct subscribe_item    item    = { .filter = str_of(filter), .qos = (uint8_t)qos };
        struct subscribe_request request = { .packet_id = 1, .count = 1, .items = &item };
        void                    *to      = room(link, PACKET_SPARE);

        if (to == NULL)
                return false;
        link->out.len += encode_subscribe(to, PACKET_SPARE, MQTT_3_1_1, &request);
        return ask(link, "SUBSCRIBE");
}

/* Nothing more is said on it than DISCONNECT; the broker hangs up when it has read that. */
static void leave(struct load_link *link)
{
        char byte;
        void *to = room(link, PACKET_SPARE);

        if (to == NULL)
                return;
        link->out.len += encode_disconnect(to, PACKET_SPARE, MQTT_3_1_1,
                                           &(struct disconnect_packet){ .reason = 0 });
        flush(link);
        while (recv(link->fd, &byte, 1, 0) > 0)
                continue;
        close(link->fd);
        link->fd = -1;
}

static bool watch(struct load_link *link)
{
        struct epoll_event event = { .events = EPOLLIN | EPOLLOUT | EPOLLET, .data.ptr = link };
        struct timeval     none  = { 0 };

        if (setsockopt(link->fd, SOL_SOCKET, SO_RCVTIMEO, &none, sizeof none) == 0 &&
            fcntl(link->fd, F_SETFL, O_NONBLOCK) == 0 &&
            epoll_ctl(link->load->epoll, EPOLL_CTL_ADD, link->fd, &event) == 0)
                return true;
        fail(link->load, "epoll: %s", strerror(errno));
        return false;
}

static bool open_publisher(struct load_link *link, unsigned number)
{
        char name[32];

        snprintf(name, sizeof name, "publisher%u", number);
        snprintf(link->topic, sizeof link->topic, "bench/%u", number);
        link->sent_ns = mem_zalloc(link->load->plan.window * sizeof link->sent_ns[0]);
        return link->sent_ns != NULL && log_in(link, name, true) && watch(link);
}

static bool open_links(struct load *load)
{
        struct load_link *monitor = &load->links[MONITOR], *subscriber = &load->links[SUBSCRIBER];

        if (!log_in(monitor, "monitor", true) || !subscribe(monitor, "$SYS/brokers/+/store/#", 0) ||
            !watch(monitor) || !log_in(subscriber, "subscriber", false) ||
            !subscribe(subscriber, "bench/+", 1))
                return false;
        if (load->plan.absent)
                leave(subscriber);
        else if (!watch(subscriber))
                return false;
        for (unsigned i = FIRST_PUBLISHER; i < load->link_count; i++)
                if (!open_publisher(&load->links[i], i - FIRST_PUBLISHER))
                        return false;
        return true;
}

bool load_open(struct load *load, const struct load_plan *plan)
{
        *load = (struct load){ .plan = *plan, .epoll = epoll_create1(EPOLL_CLOEXEC) };
        load->links = mem_zalloc((plan->publishers + FIRST_PUBLISHER) * sizeof load->links[0]);
        if (load->links == NULL || !buffer_reserve(&load->payload, plan->payload)) {
                fail(load, "out of memory");
                return false;
        }
        memset(load->payload.bytes, 'x', plan->payload);
        load->payload.len = plan->payload;
        load->link_count  = plan->publishers + FIRST_PUBLISHER;
        for (unsigned i = 0; i < load->link_count; i++) {
                load->links[i].load = load;
                load->links[i].fd   = -1;
        }
        return open_links(load);
}

void load_close(struct load *load)
{
        for (unsigned i = 0; i < load->link_count; i++) {
                struct load_link *link = &load->links[i];

                if (link->fd >= 0)
                        close(link->fd);
                buffer_deinit(&link->in);
                buffer_deinit(&link->out);
                mem_free(link->sent_ns);
        }
        mem_free(load->links);
        buffer_deinit(&load->payload);
        if (load->epoll >= 0)
                close(load->epoll);
}

/* ---- running --------------------------------------------------------------------------------- */

void load_reset(struct load *load)
{
        memset(&load->counts, 0, sizeof load->counts);
}

static void on_event(struct load_link *link)
{
        receive(link);
        if (link >= &link->load->links[FIRST_PUBLISHER])
                fill_window(link);
        else
                flush(link);
}

bool load_run(struct load *load, unsigned ms)
{
        struct epoll_event events[EVENTS];
        uint64_t           began = now_ns(), now = began, until = began + ms * 1000000ULL;

        for (unsigned i = FIRST_PUBLISHER; i < load->link_count; i++)
                fill_window(&load->links[i]);
        while (now < until && !load->failed) {
                int count = epoll_wait(load->epoll, events, EVENTS,
                                       (int)((until - now + 999999) / 1000000));

                for (int i = 0; i < count; i++)
                        on_event(events[i].data.ptr);
                now = now_ns();
        }
        load->counts.ns += now - began;
        return !load->failed;
}
