#include "publisher.h"

#include "base/memory.h"
#include "link.h"
#include "mqtt/encode.h"
#include "names.h"
#include "stamp.h"
#include "worker.h"

/* So many messages that are overdue go into one write. */
enum { OVERDUE_MAX = 256, PACKET_SPARE = 32, ACK_SIZE = 8 };

static const struct bench_options *options_of(const struct link *link)
{
        return link->worker->run->options;
}

bool publisher_init(struct link *link)
{
        const struct run *run = link->worker->run;
        struct publisher *p   = &link->publisher;
        uint64_t          all = run->options->messages;
        char              id[CLIENT_ID_SIZE];
        size_t            size;

        p->quota = UINT64_MAX;
        if (all > 0)
                p->quota = all / run->publishers + (link->number < all % run->publishers);
        run_client_id(run, ROLE_PUBLISHER, link->number, id);
        size     = name_expand(NULL, 0, run->options->topic, UINT64_MAX, id) + 1;
        p->topic      = mem_alloc(size);
        p->topic_size = size;
        if (p->topic == NULL)
                return false;
        name_expand(p->topic, size, run->options->topic, link->number, id);
        return true;
}

void publisher_restart(struct link *link)
{
        link->publisher.sent = link->publisher.acked = 0;
}

void publisher_deinit(struct link *link)
{
        mem_free(TAKE(link->publisher.topic));
        mem_free(TAKE(link->publisher.sent_us));
}

bool publisher_connected(struct link *link, uint16_t receive_maximum)
{
        const struct bench_options *options = options_of(link);
        struct publisher           *p       = &link->publisher;

        p->window = options->window;
        if (options->qos == 0)
                return true;
        if (p->window > receive_maximum)
                p->window = receive_maximum;
        if (options->mode != BENCH_PUB)
                return true;
        p->sent_us = mem_zalloc(2 * p->window * sizeof(*p->sent_us));
        return p->sent_us != NULL;
}

/* ---- how much -------------------------------------------------------------------------------- */

/* Deliveries that one message of this publisher leads to now. */
static uint32_t fan_of(const struct link *link)
{
        const struct worker *worker = link->worker;
        const struct link   *other;

        uint32_t             listening;

        if (!run_is_live(worker->run))
                return 0;
        listening = atomic_load_explicit(&worker->run->listening, memory_order_relaxed);
        if (options_of(link)->mode == BENCH_SHARED)
                return listening > 0;
        if (options_of(link)->mode != BENCH_PAIR)
                return listening;
        other = &worker->links[link->number / worker->run->worker_count];
        return other->state == LINK_READY;
}

static uint64_t undelivered(const struct link *link)
{
        const struct publisher *p = &link->publisher;
        uint64_t done = worker_delivered(link->worker, link->number) + p->written_off;

        return p->expected > done ? p->expected - done : 0;
}

/* How many more may be under way. */
static uint64_t room(const struct link *link, uint32_t fan)
{
        const struct publisher *p     = &link->publisher;
        uint64_t                waits = fan > 0 ? (undelivered(link) + fan - 1) / fan : 0;

        if (p->window == 0)
                return UINT64_MAX;
        if (options_of(link)->qos > 0 && p->sent - p->acked > waits)
                waits = p->sent - p->acked;
        return waits < p->window ? p->window - waits : 0;
}

uint64_t publisher_due(const struct link *link, uint64_t round)
{
        const struct run *run  = link->worker->run;
        double            step = 1e6 * run->options->burst / run->options->rate;

        return link->worker->stage.start_us +
               (uint64_t)(step * (double)(round * run->publishers + link->number));
}

static uint64_t due_of(const struct link *link, uint64_t message)
{
        return publisher_due(link, message / options_of(link)->burst);
}

static uint64_t overdue(const struct link *link, uint64_t now_us, uint64_t most)
{
        uint64_t count = 0;

        if (most > OVERDUE_MAX)
                most = OVERDUE_MAX;
        while (count < most && due_of(link, link->publisher.sent + count) <= now_us)
                count++;
        return count;
}

static uint64_t to_send(const struct link *link, uint32_t fan, uint64_t now_us)
{
        const struct bench_options *options = options_of(link);
        const struct publisher     *p       = &link->publisher;
        uint64_t                    most    = room(link, fan);
        uint64_t                    left    = p->quota - p->sent;
        uint64_t                    batch   = options->burst;

        if (options->rate > 0)
                return overdue(link, now_us, most < left ? most : left);
        if (batch > p->window)
                batch = p->window;
        if (batch > left)
                batch = left;
        return most >= batch ? batch : 0;
}

/* ---- sending --------------------------------------------------------------------------------- */

/* Each retained message has a topic of its own. */
static struct str topic_of(const struct link *link)
{
        const struct run       *run = link->worker->run;
        const struct publisher *p   = &link->publisher;
        char                    id[CLIENT_ID_SIZE];

        if (run->options->mode == BENCH_RETAIN) {
                run_client_id(run, ROLE_PUBLISHER, link->number, id);
                name_expand(p->topic, p->topic_size, run->options->topic,
                            p->sent * run->publishers + link->number, id);
        }
        return str_of(p->topic);
}

static bool send_one(struct link *link, uint64_t at_us)
{
        const struct bench_options *options = options_of(link);
        struct worker              *worker  = link->worker;
        struct publisher           *p       = &link->publisher;
        struct stamp                stamp   = {
                                .at_us     = at_us,
                                .publisher = link->number,
                                .number    = (uint32_t)p->sent,
                                .run       = worker->run->id,
        };
        struct publish_packet publish = {
                .qos     = (uint8_t)options->qos,
                .retain  = options->retain,
                .topic   = topic_of(link),
                .payload = str_from(worker->payload, worker->stage.clearing ? 0 : options->size),
        };
        size_t size = publish.topic.len + publish.payload.len + PACKET_SPARE;
        void  *to   = link_room(link, size);

        if (to == NULL)
                return false;
        stamp_write(&stamp, worker->payload);
        if (options->qos > 0)
                publish.packet_id = link_next_id(link);
        if (p->sent_us != NULL)
                p->sent_us[publish.packet_id % (2 * p->window)] = at_us;
        link_wrote(link, encode_publish(to, size, options->version, &publish));
        p->sent++;
        if (!worker->stage.clearing && at_us >= worker->stage.measure_us)
                tally_add(&worker->tally.measured_published, 1);
        return true;
}

void publisher_turn(struct link *link, uint64_t now_us)
{
        struct worker    *worker = link->worker;
        struct publisher *p      = &link->publisher;
        uint32_t          fan    = fan_of(link);
        uint64_t          count, sent = 0;

        if (link->state != LINK_READY || link->blocked ||
            (fan == 0 && run_is_live(worker->run)))
                return;
        count = to_send(link, fan, now_us);
        while (sent < count && send_one(link, options_of(link)->rate > 0 ? due_of(link, p->sent)
                                                                        : now_us))
                sent++;
        if (sent == 0)
                return;
        p->expected += sent * fan;
        tally_add(&worker->tally.expected, sent * fan);
        tally_add(worker->stage.clearing ? &worker->tally.cleared : &worker->tally.published, sent);
        atomic_store_explicit(&worker->tally.last_publish_us, now_us, memory_order_relaxed);
        link_flush(link);
        if (to_send(link, fan, now_us) > 0)
                worker_ready(worker, link);
}

/* ---- what comes of it ------------------------------------------------------------------------ */

static void release(struct link *link, uint16_t packet_id)
{
        struct ack_packet ack = { .packet_id = packet_id };
        void             *to  = link_room(link, ACK_SIZE);

        if (to != NULL)
                link_wrote(link, encode_ack(to, ACK_SIZE, options_of(link)->version, PACKET_PUBREL,
                                            &ack));
}

void publisher_acked(struct link *link, const struct packet *packet, uint64_t now_us)
{
        struct worker    *worker  = link->worker;
        struct publisher *p       = &link->publisher;
        bool              refused = reason_is_error(packet->ack.reason);
        uint32_t          fan     = fan_of(link);
        uint64_t          at_us;

        if (packet->type == PACKET_PUBREC && !refused) {
                release(link, packet->ack.packet_id);
                return;
        }
        p->acked++;
        if (refused) {
                faults_note(&worker->faults, packet_name(packet->type),
                            reason_text(packet->ack.reason));
                p->expected -= fan;
                tally_add(&worker->tally.expected, -(uint64_t)fan);
                tally_add(&worker->tally.refused, 1);
        } else {
                tally_add(&worker->tally.acked, 1);
        }
        atomic_store_explicit(&worker->tally.last_ack_us, now_us, memory_order_relaxed);
        worker_ready(worker, link);
        if (p->sent_us == NULL)
                return;
        at_us = p->sent_us[packet->ack.packet_id % (2 * p->window)];
        if (at_us >= worker->stage.measure_us)
                histogram_record(&worker->latency, now_us > at_us ? now_us - at_us : 0);
}

void publisher_look(struct link *link, uint64_t now_us)
{
        struct publisher *p         = &link->publisher;
        uint64_t          delivered = worker_delivered(link->worker, link->number);
        uint64_t          waits     = undelivered(link);

        /* What was given up has come after all. */
        if (delivered + p->written_off > p->expected)
                p->written_off = p->expected > delivered ? p->expected - delivered : 0;
        if (waits == 0 || delivered != p->seen_delivered || p->seen_us == 0) {
                p->seen_delivered = delivered;
                p->seen_us        = now_us;
        } else if ((double)(now_us - p->seen_us) > options_of(link)->lost_timeout_s * 1e6) {
                p->written_off += waits;
                p->seen_us = now_us;
                worker_ready(link->worker, link);
        }
}
