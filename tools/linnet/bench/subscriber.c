#include "subscriber.h"

#include <stdio.h>
#include <string.h>

#include "base/limits.h"
#include "base/memory.h"
#include "link.h"
#include "mqtt/encode.h"
#include "names.h"
#include "stamp.h"
#include "worker.h"

/* Topics of so many publishers are asked for by name, those of more with wildcards. */
enum { FILTERS_MAX = 32, ACK_SIZE = 8 };

bool subscriber_init(struct link *link)
{
        const struct run  *run = link->worker->run;
        struct subscriber *s   = &link->subscriber;

        if (run->options->mode == BENCH_SUB || run->publishers == 0)
                return true;
        s->first     = run->options->mode == BENCH_PAIR ? link->number : 0;
        s->count     = run->options->mode == BENCH_PAIR ? 1 : run->publishers;
        s->sequences = mem_zalloc(s->count * sizeof(*s->sequences));
        return s->sequences != NULL;
}

void subscriber_deinit(struct link *link)
{
        mem_free(TAKE(link->subscriber.sequences));
        numbers_deinit(&link->subscriber.taken);
        streams_deinit(&link->subscriber.strangers);
}

/* ---- asking ---------------------------------------------------------------------------------- */

/* The topics as their publishers write them, each behind the other in `names`. */
static unsigned exact_filters(const struct run *run, struct buffer *names, uint32_t first,
                              unsigned count, struct subscribe_item *items)
{
        char   id[CLIENT_ID_SIZE];
        size_t at[FILTERS_MAX + 1] = { 0 };

        for (unsigned i = 0; i < count; i++) {
                size_t size;

                run_client_id(run, ROLE_PUBLISHER, first + i, id);
                size = name_expand(NULL, 0, run->options->topic, first + i, id) + 1;
                if (!buffer_reserve(names, size))
                        return 0;
                name_expand(names->bytes + names->len, size, run->options->topic, first + i, id);
                names->len += size;
                at[i + 1] = names->len;
        }
        for (unsigned i = 0; i < count; i++)
                items[i].filter = str_of(names->bytes + at[i]);
        return count;
}

static unsigned wild_filter(const struct run *run, struct buffer *names,
                            struct subscribe_item *items)
{
        const char *given   = run->options->filter;
        const char *pattern = given != NULL ? given : run->options->topic;
        size_t      len     = 0;

        if (!buffer_reserve(names, GROUP_NAME_MAX + sizeof("$share//") + strlen(pattern)))
                return 0;
        if (run->options->mode == BENCH_SHARED)
                len = (size_t)snprintf(names->bytes, names->size, "$share/%s/",
                                       run->options->group);
        if (given != NULL)
                memcpy(names->bytes + len, given, strlen(given) + 1);
        else
                name_filter(names->bytes + len, pattern);
        items[0].filter = str_of(names->bytes);
        return 1;
}

void subscriber_ask(struct link *link)
{
        const struct run           *run     = link->worker->run;
        const struct bench_options *options = run->options;
        struct subscribe_item       items[FILTERS_MAX] = { 0 };
        struct buffer               names   = { 0 };
        struct subscribe_request    request = { .packet_id = link_next_id(link), .items = items };
        size_t                      size    = 64;
        void                       *to;

        if (options->filter == NULL && options->mode == BENCH_PAIR)
                request.count = exact_filters(run, &names, link->number, 1, items);
        else if (options->filter == NULL && options->mode == BENCH_FANOUT &&
                 run->publishers <= FILTERS_MAX)
                request.count = exact_filters(run, &names, 0, run->publishers, items);
        else
                request.count = wild_filter(run, &names, items);
        for (unsigned i = 0; i < request.count; i++) {
                items[i].qos = (uint8_t)options->qos;
                size += items[i].filter.len + 3;
        }
        if (request.count == 0)
                link_fail(link, "SUBSCRIBE", "there is no memory");
        else if ((to = link_room(link, size)) != NULL)
                link_wrote(link, encode_subscribe(to, size, options->version, &request));
        buffer_deinit(&names);
}

/* ---- what comes ------------------------------------------------------------------------------ */

/* Of a PUBLISH only what is needed here: its packet id and its payload. */
static bool dissect(const struct frame *frame, struct str *body, enum mqtt_version version,
                    uint16_t *packet_id)
{
        const uint8_t *bytes = (const uint8_t *)body->ptr;
        size_t         size  = body->len;
        size_t         at    = 2;
        uint32_t       properties = 0;
        unsigned       shift = 0;

        if (size < 2)
                return false;
        at += (size_t)(bytes[0] << 8 | bytes[1]);
        if ((frame->flags >> 1 & 3) > 0) {
                if (at + 2 > size)
                        return false;
                *packet_id = (uint16_t)(bytes[at] << 8 | bytes[at + 1]);
                at += 2;
        }
        if (version == MQTT_5) {
                do {
                        if (at >= size || shift > 21)
                                return false;
                        properties |= (uint32_t)(bytes[at] & 0x7f) << shift;
                        shift += 7;
                } while ((bytes[at++] & 0x80) != 0);
                at += properties;
        }
        if (at > size)
                return false;
        *body = str_skip(*body, at);
        return true;
}

static struct sequence *sequence_of(struct link *link, const struct stamp *stamp)
{
        const struct run  *run = link->worker->run;
        struct subscriber *s   = &link->subscriber;

        if (run->options->mode == BENCH_SUB)
                return streams_find(&s->strangers, (uint64_t)stamp->run << 32 | stamp->publisher,
                                    stamp->number);
        if (stamp->run != run->id || stamp->publisher - s->first >= s->count)
                return NULL;
        return &s->sequences[stamp->publisher - s->first];
}

/* One of our publishers has room in its window again. */
static void open_window(struct worker *worker, uint32_t publisher)
{
        if (!run_is_live(worker->run))
                return;
        tally_add(&worker->delivered[publisher], 1);
        if (worker->run->options->window > 0)
                worker_ready_number(worker, publisher);
}

/* By whichever order the mode lets one expect. */
static enum sequence_verdict judge(struct link *link, struct sequence *sequence,
                                   const struct stamp *stamp)
{
        struct worker        *worker  = link->worker;
        uint32_t              missing = sequence->missing;
        enum sequence_verdict verdict;

        if (worker->run->options->mode == BENCH_RETAIN)
                return numbers_add(&link->subscriber.taken,
                                   stamp->number * worker->run->publishers + stamp->publisher)
                               ? SEQUENCE_NEXT
                               : SEQUENCE_DUPLICATE;
        verdict = sequence_take(sequence, stamp->number);
        if (worker->run->options->mode == BENCH_SHARED)
                return numbers_add(&worker->taken[stamp->publisher], stamp->number)
                               ? verdict
                               : SEQUENCE_DUPLICATE;
        if (sequence->missing != missing)
                tally_add(&worker->tally.skipped, (uint64_t)sequence->missing - missing);
        return verdict;
}

/* From when it was to be sent; if it was stored meanwhile, from when its receiver was back. */
static void time_it(struct worker *worker, uint64_t from_us, uint64_t now_us)
{
        if (from_us < worker->stage.measure_us)
                return;
        tally_add(&worker->tally.measured_delivered, 1);
        if (worker->run->owed > 0 && from_us < worker->run->receive_us)
                from_us = worker->run->receive_us;
        histogram_record(&worker->latency, now_us > from_us ? now_us - from_us : 0);
}

static void check(struct link *link, struct str payload, uint64_t now_us)
{
        struct worker   *worker = link->worker;
        struct tally    *tally  = &worker->tally;
        struct sequence *sequence;
        struct stamp     stamp;

        if (!stamp_read(payload, now_us, &stamp) ||
            (sequence = sequence_of(link, &stamp)) == NULL) {
                tally_add(&tally->foreign, 1);
                return;
        }
        if (tally_read(&tally->delivered) == 0)
                atomic_store_explicit(&tally->first_delivery_us, now_us, memory_order_relaxed);
        tally_add(&tally->delivered, 1);
        atomic_store_explicit(&tally->last_delivery_us, now_us, memory_order_relaxed);
        time_it(worker, stamp.at_us, now_us);
        switch (judge(link, sequence, &stamp)) {
        case SEQUENCE_DUPLICATE:
                tally_add(&tally->duplicates, 1);
                return;
        case SEQUENCE_LATE:
                tally_add(&tally->reordered, 1);
                break;
        case SEQUENCE_NEXT:
        case SEQUENCE_AHEAD:
                break;
        }
        open_window(worker, stamp.publisher);
}

void subscriber_take(struct link *link, const struct frame *frame, struct str body,
                     uint64_t now_us)
{
        enum mqtt_version version = link->worker->run->options->version;
        struct ack_packet ack     = { 0 };
        unsigned          qos     = frame->flags >> 1 & 3;
        void             *to;

        if (!dissect(frame, &body, version, &ack.packet_id)) {
                link_fail(link, "PUBLISH", "it is malformed");
                return;
        }
        check(link, body, now_us);
        if (qos == 0 || (to = link_room(link, ACK_SIZE)) == NULL)
                return;
        link_wrote(link, encode_ack(to, ACK_SIZE, version, qos == 1 ? PACKET_PUBACK : PACKET_PUBREC,
                                    &ack));
}
