#include "core/verdicts.h"

#include "base/memory.h"
#include "core/shard.h"

struct verdict {
        uint64_t            until_ms;
        uint64_t            used;       /* the larger, the later */
        char               *topic;      /* owned */
        uint32_t            line;
        uint16_t            topic_len;
        uint8_t             asked;      /* unchecked, kind, QoS, retain */
        enum access_verdict said;
};

struct verdicts {
        struct access_note note;
        uint32_t           epoch;       /* of the shard's rules */
        uint32_t           count, size;
        uint64_t           uses;
        struct verdict    *list;        /* owned */
};

static const char verdicts_owner;

static void clear(struct verdicts *verdicts)
{
        while (verdicts->count > 0)
                mem_free(verdicts->list[--verdicts->count].topic);
}

static void note_free(struct access_note *note)
{
        struct verdicts *verdicts = list_entry(note, struct verdicts, note);

        clear(verdicts);
        mem_free(verdicts->list);
        mem_free(verdicts);
}

/* NULL: there are none that hold. */
ON_SHARD static struct verdicts *verdicts_of(const struct access_request *request)
{
        struct access_note *note = access_note(request, &verdicts_owner);
        struct verdicts    *verdicts;

        if (note == NULL)
                return NULL;
        verdicts = list_entry(note, struct verdicts, note);
        if (verdicts->epoch != request->shard->access_epoch)
                clear(verdicts);
        verdicts->epoch = request->shard->access_epoch;
        return verdicts;
}

static uint8_t asked_of(const struct access_request *request)
{
        return (uint8_t)(request->unchecked << 5 | request->kind << 3 | request->qos << 1 |
                         request->retain);
}

enum access_verdict verdicts_find(struct access_request *request)
{
        struct verdicts *verdicts = verdicts_of(request);
        uint8_t          asked    = asked_of(request);

        for (uint32_t i = 0; verdicts != NULL && i < verdicts->count; i++) {
                struct verdict *one = &verdicts->list[i];

                if (one->asked != asked ||
                    !str_eq(str_from(one->topic, one->topic_len), request->topic))
                        continue;
                if (one->until_ms <= request->shard->loop.now.mono_ms) {
                        mem_free(one->topic);
                        *one = verdicts->list[--verdicts->count];
                        return ACCESS_LATER;
                }
                one->used     = ++verdicts->uses;
                request->line = one->line;
                return one->said;
        }
        return ACCESS_LATER;
}

ON_SHARD static struct verdicts *verdicts_make(struct access_request *request)
{
        struct verdicts *verdicts = mem_zalloc(sizeof *verdicts);

        if (verdicts == NULL)
                return NULL;
        verdicts->note.owner = &verdicts_owner;
        verdicts->note.free  = note_free;
        verdicts->epoch      = request->shard->access_epoch;
        access_keep(request, &verdicts->note);
        return verdicts;
}

/* The place for one more: a new one, or that of the one used longest ago. NULL without memory. */
static struct verdict *place(struct verdicts *verdicts, uint32_t max)
{
        struct verdict *oldest = verdicts->list;

        if (verdicts->count < max && verdicts->count == verdicts->size) {
                uint32_t        size = verdicts->size == 0 ? 2 : 2 * verdicts->size;
                struct verdict *list = mem_realloc_array(verdicts->list, size, sizeof *list);

                if (list == NULL)
                        return NULL;
                verdicts->list = list;
                verdicts->size = size;
        }
        if (verdicts->count < max)
                return &verdicts->list[verdicts->count++];
        for (uint32_t i = 1; i < verdicts->count; i++)
                if (verdicts->list[i].used < oldest->used)
                        oldest = &verdicts->list[i];
        mem_free(oldest->topic);
        return oldest;
}

void verdicts_keep(struct access_request *request, enum access_verdict verdict)
{
        const struct settings *settings = request->shard->settings;
        struct verdicts       *verdicts = verdicts_of(request);
        struct verdict        *one;
        char                  *topic;
        uint32_t               ttl_ms   = request->ttl_ms < settings->acl_cache_ttl_ms
                                                  ? request->ttl_ms
                                                  : settings->acl_cache_ttl_ms;

        if (request->topic.len > VERDICT_TOPIC_MAX || settings->acl_cache_max == 0 || ttl_ms == 0)
                return;
        if (verdicts == NULL && (verdicts = verdicts_make(request)) == NULL)
                return;
        if (verdicts->count > settings->acl_cache_max)          /* a reload made it smaller */
                clear(verdicts);
        topic = mem_dup(request->topic);
        one   = topic != NULL ? place(verdicts, settings->acl_cache_max) : NULL;
        if (one == NULL) {
                mem_free(topic);
                return;
        }
        *one = (struct verdict){
                .until_ms  = request->shard->loop.now.mono_ms + ttl_ms,
                .used      = ++verdicts->uses,
                .topic     = topic,
                .line      = request->line,
                .topic_len = (uint16_t)request->topic.len,
                .asked     = asked_of(request),
                .said      = verdict,
        };
}

void verdicts_forget(struct access_request *request)
{
        struct verdicts *verdicts = verdicts_of(request);

        if (verdicts != NULL)
                clear(verdicts);
}
