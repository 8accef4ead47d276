/* What it takes to turn a queued message into bytes for the store and its record back: nanoseconds,
 * the least of some tries. */
#include "core/record.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

enum { TRIES = 30, TIMES = 100000, PAYLOAD = 100 };

static double now_ns(void)
{
        struct timespec now;

        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
        return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

struct sample {
        struct message *message;
        struct record   record, decoded;
        struct buffer   body, value;
        bool            failed;
};

static void encode_body(struct sample *s)
{
        buffer_consume(&s->body, buffer_len(&s->body));
        s->failed |= !body_encode(&s->body, s->message);
}

static void encode_record(struct sample *s)
{
        buffer_consume(&s->value, buffer_len(&s->value));
        s->failed |= !record_encode(&s->value, &s->record);
}

static void decode_record(struct sample *s)
{
        s->failed |= !record_decode(buffer_str(&s->value), &s->decoded);
}

static double least(struct sample *s, void (*work)(struct sample *))
{
        double best = 1e12;

        for (unsigned i = 0; i < TRIES; i++) {
                double began = now_ns(), took;

                for (unsigned n = 0; n < TIMES; n++)
                        work(s);
                took = (now_ns() - began) / TIMES;
                best = took < best ? took : best;
        }
        return best;
}

int main(void)
{
        static struct sample  s;
        static char           payload[PAYLOAD];
        struct message_fields fields = { .topic     = STR("bench/42"),
                                         .payload   = str_from(payload, sizeof payload),
                                         .qos       = 1,
                                         .client_id = STR("publisher42") };

        memset(payload, 'x', sizeof payload);
        s.message         = message_new(&fields);
        s.record.kind     = RECORD_DELIVERY;
        s.record.delivery = (struct record_delivery){ .session = 5, .has_message = true, .qos = 1 };
        if (s.message == NULL)
                return 1;
        printf("| body encoded | record encoded | record decoded |\n|---|---|---|\n");
        printf("| %.1f ns |", least(&s, encode_body));
        printf(" %.1f ns |", least(&s, encode_record));
        printf(" %.1f ns |\n", least(&s, decode_record));
        message_put(s.message);
        buffer_deinit(&s.body);
        buffer_deinit(&s.value);
        return s.failed;
}
