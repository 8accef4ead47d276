#include "tools.h"

#include <stdio.h>

#include "base/clock.h"
#include "connection.h"
#include "mqtt/topic.h"

struct sub {
        struct connection connection;
        uint32_t          printed;
        bool              granted;      /* at least one subscription */
};

static bool wanted(const struct arguments *a, const struct publish_packet *publish)
{
        if (a->no_stale && publish->retain)
                return false;
        for (unsigned i = 0; i < a->filter_out.count; i++) {
                if (topic_matches(str_of(a->filter_out.items[i]), publish->topic))
                        return false;
        }
        return true;
}

static bool print(const struct arguments *a, const struct publish_packet *publish)
{
        if (a->verbose) {
                fwrite(publish->topic.ptr, 1, publish->topic.len, stdout);
                fputs(publish->payload.len > 0 ? " " : " (null)", stdout);
        }
        if (publish->payload.len > 0)
                fwrite(publish->payload.ptr, 1, publish->payload.len, stdout);
        if (!a->no_newline)
                fputc('\n', stdout);
        return fflush(stdout) == 0;
}

/* Says which were refused; the first refusal, or 0 when one was granted. */
static int subscribed(struct sub *sub, const struct suback_packet *suback)
{
        const struct arguments *a    = sub->connection.arguments;
        int                     code = 0;

        for (size_t i = 0; i < suback->reasons.len && i < a->topics.count; i++) {
                enum reason reason = (enum reason)(uint8_t)suback->reasons.ptr[i];

                sub->granted |= !reason_is_error(reason);
                if (!reason_is_error(reason))
                        continue;
                code = code != 0 ? code : (int)reason;
                connection_say(&sub->connection, "Warning: Subscription to %s failed: %s.\n",
                               a->topics.items[i], reason_text(reason));
        }
        if (sub->granted)
                return 0;
        connection_say(&sub->connection, "All subscription requests were denied.\n");
        return code != 0 ? code : EXIT_ERROR;
}

/* One packet; true when it was the last, with the exit code. */
static bool handle(struct sub *sub, const struct packet *packet, int *code)
{
        const struct arguments *a = sub->connection.arguments;

        if (packet->type == PACKET_SUBACK) {
                *code = subscribed(sub, &packet->suback);
                return *code != 0 || a->exit_after_subscribe;
        }
        if (packet->type == PACKET_UNSUBACK)
                return a->topics.count == 0 && a->exit_after_subscribe;
        if (packet->type != PACKET_PUBLISH || !wanted(a, &packet->publish))
                return false;
        if (!print(a, &packet->publish)) {
                *code = EXIT_ERROR;
                return true;
        }
        return a->count > 0 && ++sub->printed >= a->count;
}

static int receive(struct sub *sub, uint64_t until_ms)
{
        struct packet packet;
        int           code = EXIT_DONE;

        for (;;) {
                switch (connection_next(&sub->connection, &packet, -1, until_ms)) {
                case HAPPENED_PACKET:
                        if (handle(sub, &packet, &code))
                                return code;
                        break;
                case HAPPENED_TIMEOUT:
                        connection_say(&sub->connection, "Timed out\n");
                        return EXIT_TIMEOUT;
                case HAPPENED_SIGNAL:
                        return EXIT_DONE;
                case HAPPENED_INPUT:
                case HAPPENED_LOST:
                        return EXIT_LOST;
                }
        }
}

int sub_run(const struct arguments *arguments)
{
        static struct sub sub;
        struct connection *c        = &sub.connection;
        uint64_t           until_ms = 0;
        int                code;

        if (arguments->timeout_s > 0)
                until_ms = clock_read().mono_ms + (uint64_t)arguments->timeout_s * 1000;
        code = connection_open(c, arguments, until_ms);
        if (code == EXIT_DONE) {
                if ((arguments->unsubscribe.count == 0 || connection_unsubscribe(c)) &&
                    (arguments->topics.count == 0 || connection_subscribe(c)))
                        code = receive(&sub, until_ms);
                else
                        code = EXIT_ERROR;
                if (code != EXIT_LOST)
                        connection_close(c);
        }
        connection_deinit(c);
        return code;
}
