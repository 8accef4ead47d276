/* A value of the store, as a record and as a message's body: what decodes is encoded again to the
 * same bytes, so that no two values mean one thing, and keeps to the limits. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "core/record.h"

static const struct guid guid = { 1, 2 };

static void expect_inside(struct str part, struct str value)
{
        assert(part.len == 0 ||
               (part.ptr >= value.ptr && part.ptr + part.len <= value.ptr + value.len));
}

static void check_record(struct str value, const struct record *record)
{
        struct guid message;

        assert(record->kind > 0 && record->kind < RECORD_KINDS);
        assert(strcmp(record_kind_name(record->kind), "unknown") != 0);
        if (record->kind == RECORD_MARKS)
                assert(record->marks.count <= RECORD_MARKS_MAX);
        if (record->kind == RECORD_SESSION) {
                expect_inside(record->session.client_id, value);
                expect_inside(record->session.username, value);
                assert(record_message(record, &message) == record->session.has_will);
        }
        if (record->kind == RECORD_SUBSCRIPTION)
                expect_inside(record->subscription.name, value);
        if (record->kind == RECORD_DELIVERY) {
                assert(record->delivery.id_count <= SUBSCRIPTION_IDS_MAX);
                assert(record_message(record, &message) == !record->delivery.released);
        }
        if (record->kind == RECORD_PENDING)
                expect_inside(record->pending.name, value);
}

static void try_record(struct str value)
{
        struct buffer again = { .bytes = NULL };
        struct record record;

        if (!record_decode(value, &record))
                return;
        check_record(value, &record);
        if (!record_encode(&again, &record))
                abort();
        assert(str_eq(buffer_str(&again), value));
        buffer_deinit(&again);
}

static void try_body(struct str value)
{
        struct buffer   again   = { .bytes = NULL };
        bool            damaged = false;
        struct message *message = body_decode(value, guid, &damaged);

        assert((message == NULL) == damaged);
        if (message == NULL)
                return;
        assert(guid_compare(message->guid, guid) == 0);
        if (!body_encode(&again, message))
                abort();
        assert(str_eq(buffer_str(&again), value));
        buffer_deinit(&again);
        message_put(message);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        struct str value = str_from(data, size);

        try_record(value);
        try_body(value);
        return 0;
}
