#include "services/admin/counters.h"

static enum admin_progress run_metrics(void *context, struct admin_call *call)
{
        const struct broker      *broker = admin_broker(context);
        size_t                    count;
        const struct metric_info *table = metrics_table(&count);

        for (size_t i = 0; i < count; i++) {
                uint64_t sum = 0;

                for (unsigned s = 0; s < broker->shard_count; s++)
                        sum += metric_read(&broker->shards[s]->metrics, &table[i]);
                ADMIN_ROW(call, "metric", F_TEXT("name", table[i].name), F_U64("value", sum),
                          F_TEXT("help", table[i].help));
        }
        return ADMIN_DONE;
}

/* Each number as its shard last wrote it. */
static enum admin_progress run_shards(void *context, struct admin_call *call)
{
        const struct broker *broker = admin_broker(context);

        for (unsigned i = 0; i < broker->shard_count; i++) {
                const struct stats *stats = &broker->shards[i]->stats;

                ADMIN_ROW(call, "shard", F_U64("id", i),
                          F_U64("clients", stat_read(&stats->clients)),
                          F_U64("sessions", stat_read(&stats->sessions)),
                          F_U64("subscriptions", stat_read(&stats->subscriptions)),
                          F_U64("retained", stat_read(&stats->retained)),
                          F_U64("queued", stat_read(&stats->queued)),
                          F_U64("mail_bytes",
                                mailbox_bytes(&broker->shards[i]->loop.mailbox)));
        }
        return ADMIN_DONE;
}

static const struct admin_command metrics_command = {
        .name = "metrics", .usage = "", .help = "counters since the start, of all shards",
        .run = run_metrics
};
static const struct admin_command shards_command = {
        .name = "shards list", .usage = "", .help = "what each shard has", .run = run_shards
};

void counters_add(struct admin *admin)
{
        admin_add(admin, &metrics_command, admin);
        admin_add(admin, &shards_command, admin);
}
