/* What is wrong with a store: a line for each thing, then what there is. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "census.h"
#include "store.h"

struct check {
        struct census census;
        uint64_t      counts[RECORD_KINDS];
        uint64_t      bodies, body_bytes, aside, problems;
        uint64_t      newest;           /* the key before; keys ascend */
        bool          disorder;         /* said once, since all that follows may be affected */
        bool          no_memory;
};

__attribute__((format(printf, 2, 3))) static void problem(struct check *check, const char *format,
                                                          ...)
{
        va_list values;

        check->problems++;
        va_start(values, format);
        vprintf(format, values);
        va_end(values);
        putchar('\n');
}

static bool no_memory(struct check *check)
{
        fputs("Error: out of memory\n", stderr);
        check->no_memory = true;
        return false;
}

static bool see_record(void *context, struct str bytes, struct str value, bool damaged)
{
        struct check *check = context;
        uint64_t      key   = engine_record_key_of(bytes);
        struct record record;
        bool          twice;

        if (key <= check->newest && !check->disorder) {
                problem(check, "record %" PRIu64 ": out of order, so a start could not find all "
                               "that is there; linnet store compact puts it right", key);
                check->disorder = true;
        }
        check->newest = key;
        if (damaged || bytes.len != ENGINE_RECORD_KEY) {
                problem(check, "record %" PRIu64 ": damaged, its checksum does not fit", key);
                return true;
        }
        if (!record_decode(value, &record)) {
                problem(check, "record %" PRIu64 ": not a record of this version", key);
                return true;
        }
        check->counts[record.kind]++;
        if (record_session(&record) != 0 &&
            census_session(&check->census, record_session(&record)) == NULL)
                problem(check, "record %" PRIu64 " (%s): its session %" PRIu64 " is not there", key,
                        record_kind_name(record.kind), record_session(&record));
        if (!census_add(&check->census, key, &record, &twice))
                return no_memory(check);
        if (twice)
                problem(check, "record %" PRIu64 " (session): its client %.*s has another session",
                        key, STR_ARGS(record.session.client_id));
        return true;
}

/* "00061A2B..." of a message's key. */
static const char *name_of(struct guid guid)
{
        static char text[GUID_HEX_SIZE];

        guid_hex(guid, text);
        return text;
}

static bool see_body(void *context, struct str bytes, struct str value, bool damaged)
{
        struct check          *check   = context;
        struct guid            guid    = engine_guid_of(bytes);
        struct census_message *message = census_message(&check->census, guid);
        struct message        *decoded = NULL;
        bool                   bad     = false;

        check->bodies++;
        check->body_bytes += value.len;
        if (message != NULL)
                message->present = true;
        if (!damaged)
                decoded = body_decode(value, guid, &bad);
        if (damaged)
                problem(check, "message %s: damaged, its checksum does not fit", name_of(guid));
        else if (bad)
                problem(check, "message %s: not a message of this version", name_of(guid));
        else if (decoded == NULL)
                return no_memory(check);
        message_put(decoded);
        if (message == NULL)
                problem(check, "message %s: no record refers to it", name_of(guid));
        return true;
}

static bool see_refs(void *context, struct str bytes, struct str value, bool damaged)
{
        struct check          *check   = context;
        struct guid            guid    = engine_guid_of(bytes);
        struct census_message *message = census_message(&check->census, guid);
        uint32_t               refs    = 0;

        if (!damaged && value.len == sizeof refs)
                memcpy(&refs, value.ptr, sizeof refs);
        if (message != NULL)
                message->refs = refs != 0 ? refs : message->uses;
        if (refs == 0)
                problem(check, "message %s: its count of references is damaged", name_of(guid));
        else if (message == NULL)
                problem(check, "message %s: referred to %u times by its count, and by no record",
                        name_of(guid), refs);
        return true;
}

static bool see_aside(void *context, struct str bytes, struct str value, bool damaged)
{
        struct check *check = context;

        (void)bytes;
        (void)value;
        check->aside++;
        if (damaged)
                problem(check, "set aside: damaged once more");
        return true;
}

static void compare(struct check *check)
{
        const struct census_message *message;
        size_t                       at = 0;

        while ((message = map_next(&check->census.messages, &at)) != NULL) {
                uint32_t said = message->refs != 0 ? message->refs : 1;

                if (!message->present)
                        problem(check, "record %" PRIu64 ": its message %s is not there",
                                message->record, name_of(message->guid));
                else if (said != message->uses)
                        problem(check,
                                "message %s: referred to %u times by its count, by %u records",
                                name_of(message->guid), said, message->uses);
        }
}

static void summarize(const struct check *check, const struct engine *engine)
{
        for (enum record_kind kind = RECORD_MARKS; kind < RECORD_KINDS; kind++)
                printf("%-14s%12" PRIu64 "\n", record_kind_name(kind), check->counts[kind]);
        printf("%-14s%12" PRIu64 "   %" PRIu64 " bytes\n", "messages", check->bodies,
               check->body_bytes);
        printf("%-14s%12" PRIu64 "\n", "set aside", check->aside);
        printf("%-14s%12" PRIu64 "\n", "bytes", engine->ops->bytes(engine));
        printf("%-14s%12" PRIu64 "\n", "problems", check->problems);
}

int store_check(struct engine *engine)
{
        static struct check check;
        bool                whole;
        int                 code;

        check = (struct check){ .problems = 0 };
        census_init(&check.census);
        whole = store_walk(engine, ENGINE_RECORDS, see_record, &check) &&
                store_walk(engine, ENGINE_BODIES, see_body, &check) &&
                store_walk(engine, ENGINE_REFS, see_refs, &check) &&
                store_walk(engine, ENGINE_ASIDE, see_aside, &check);
        if (whole)
                compare(&check);
        else if (!check.no_memory)
                problem(&check, "the structure is damaged: what follows is not seen");
        summarize(&check, engine);
        code = check.no_memory ? STORE_FAILED : check.problems > 0 ? STORE_PROBLEMS : STORE_CLEAN;
        census_deinit(&check.census);
        return code;
}
