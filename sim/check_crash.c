/* What a crash may cost, and what must be left on the disk in the end. */
#include "core/record.h"
#include "sim.h"

/* Kept: what was acknowledged. Of the rest the next broker may know, or not. */
static void forget_some(struct sim *sim)
{
        for (unsigned i = 0; i < sim->message_count; i++) {
                struct message_sent *sent = &sim->messages[i];

                if (sim->mix.durability == DURABILITY_MEMORY)
                        sent->lost = true;
                else if (sent->qos == 0)
                        sent->done = false;     /* nobody was promised anything */
        }
}

/* At QoS 1 a receiver keeps no packet ids, so another message may have one of them now. */
static void forget_ids(struct known *record)
{
        for (unsigned id = 0; id < IDS; id++)
                if (!record->held_qos2[id])
                        record->held[id] = 0;
}

void check_crashing(struct sim *sim)
{
        for (unsigned i = 0; i < sim->mix.clients + 2; i++) {
                struct sim_client *client = &sim->clients[i];

                forget_ids(&client->record);
                if (sim->mix.durability == DURABILITY_MEMORY)
                        client->link = NULL;
        }
        for (unsigned i = 0; i < sim->connection_count; i++) {
                struct connection *link = &sim->connections[i];

                link->crashed = true;
                if (sim->mix.durability == DURABILITY_MEMORY) {
                        link->ending   = ENDING_CRASH;
                        link->has_will = false;
                }
        }
        forget_some(sim);
}

/* Everybody has gone: there are retained messages, their bodies, and the marks. */
static bool check_table(struct sim *sim, struct engine *engine, enum engine_table table,
                        unsigned *count)
{
        char               from[ENGINE_GUID_KEY + 1] = { 0 };
        size_t             len = 1;
        struct str         key, value;
        struct record      record;
        enum engine_result result;

        *count = 0;
        while ((result = engine->ops->next(engine, table, str_from(from, len), &key, &value)) ==
               ENGINE_OK) {
                bool marks = false;

                if (table == ENGINE_RECORDS) {
                        if (!record_decode(value, &record))
                                return sim_fail(sim, "a record that does not decode");
                        marks = record.kind == RECORD_MARKS;
                        if (!marks && record.kind != RECORD_RETAINED)
                                return sim_fail(sim, "everybody has gone, but a %s is stored",
                                                record_kind_name(record.kind));
                }
                *count += !marks;
                memcpy(from, key.ptr, key.len);         /* the next one is behind its key */
                from[key.len] = 0;
                len           = key.len + 1;
        }
        return result == ENGINE_NONE || sim_fail(sim, "a damaged value");
}

bool check_vault(struct sim *sim)
{
        struct engine *engine = engine_memory_open(sim->vault);
        unsigned       count[ENGINE_TABLES];
        bool           fine = engine != NULL && engine->ops->begin(engine) == ENGINE_OK;

        for (unsigned t = 0; t < ENGINE_TABLES && fine; t++)
                fine = check_table(sim, engine, (enum engine_table)t, &count[t]);
        if (fine && (count[ENGINE_BODIES] != count[ENGINE_RECORDS] || count[ENGINE_REFS] != 0 ||
                     count[ENGINE_ASIDE] != 0))
                fine = sim_fail(sim, "%u records, but %u bodies, %u refs and %u aside",
                                count[ENGINE_RECORDS], count[ENGINE_BODIES], count[ENGINE_REFS],
                                count[ENGINE_ASIDE]);
        if (engine != NULL)
                engine->ops->close(engine);
        return fine;
}
