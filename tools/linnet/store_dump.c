/* A store as JSON: an object for each record, one a line, in the order in which records came to
 * be. */
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/base64.h"
#include "census.h"
#include "mqtt/property.h"
#include "mqtt/utf8.h"
#include "store.h"

struct dump {
        struct engine *engine;
        struct census  census;
        bool           failed;
};

/* ---- members of an object; what has no memory shows when the line is written ----------------- */

static void put_number(json_t *object, const char *name, uint64_t value)
{
        json_object_set_new(object, name, json_integer((json_int_t)value));
}

static void put_flag(json_t *object, const char *name, bool value)
{
        json_object_set_new(object, name, json_boolean(value));
}

static void put_text(json_t *object, const char *name, const char *value)
{
        json_object_set_new(object, name, json_string(value));
}

static void put_time(json_t *object, const char *name, uint64_t wall_us)
{
        char text[25];

        clock_format(wall_us, text);
        put_text(object, name, text);
}

static void put_base64(json_t *object, const char *name, struct str bytes)
{
        struct buffer text = { .bytes = NULL };

        if (base64_append(&text, bytes))
                json_object_set_new(object, name,
                                    json_stringn(buffer_len(&text) > 0 ? buffer_str(&text).ptr : "",
                                                 buffer_len(&text)));
        buffer_deinit(&text);
}

/* As it is if it is UTF-8, else name_base64. */
static void put_str(json_t *object, const char *name, struct str value)
{
        char other[64];

        if (utf8_valid_payload(value)) {
                json_object_set_new(object, name,
                                    json_stringn(value.len > 0 ? value.ptr : "", value.len));
                return;
        }
        snprintf(other, sizeof other, "%s_base64", name);
        put_base64(object, other, value);
}

static void put_guid(json_t *object, const char *name, struct guid guid)
{
        char text[GUID_HEX_SIZE];

        guid_hex(guid, text);
        put_text(object, name, text);
}

/* ---- messages -------------------------------------------------------------------------------- */

static json_t *property_object(const struct property *property)
{
        json_t *object = json_object();

        put_text(object, "name", property_name(property->id));
        switch (property_type(property->id)) {
        case PROPERTY_TYPE_PAIR:
                put_str(object, "key", property->name);
                put_str(object, "value", property->value);
                break;
        case PROPERTY_TYPE_STRING:
        case PROPERTY_TYPE_BINARY:
                put_str(object, "value", property->value);
                break;
        case PROPERTY_TYPE_BYTE:
        case PROPERTY_TYPE_TWO:
        case PROPERTY_TYPE_FOUR:
        case PROPERTY_TYPE_VARINT:
                put_number(object, "value", property->number);
                break;
        case PROPERTY_TYPE_NONE:
                break;
        }
        return object;
}

static void put_message(json_t *object, const struct message *message)
{
        struct str      raw        = message_properties(message);
        json_t         *properties = json_array();
        struct property property;

        put_str(object, "topic", message_topic(message));
        put_number(object, "published_qos", message->qos);
        put_flag(object, "published_retain", message->retain);
        put_str(object, "payload", message_payload(message));
        put_str(object, "publisher", message_client_id(message));
        if (message_username(message).len > 0)
                put_str(object, "publisher_username", message_username(message));
        if (message->expires_us != 0)
                put_time(object, "expires", message->expires_us);
        while (property_next(&raw, &property))
                json_array_append_new(properties, property_object(&property));
        if (json_array_size(properties) > 0)
                json_object_set(object, "properties", properties);
        json_decref(properties);
}

/* The value of a body, or what is wrong with it. */
static void put_body(json_t *object, struct guid guid, enum engine_result result, struct str value)
{
        bool            damaged = true;
        struct message *message = NULL;

        put_guid(object, "message", guid);
        put_time(object, "published", guid.time_us);
        if (result == ENGINE_OK)
                message = body_decode(value, guid, &damaged);
        if (message != NULL) {
                put_message(object, message);
                message_put(message);
        } else if (result == ENGINE_NONE) {
                put_flag(object, "missing", true);
        } else if (damaged) {
                put_flag(object, "damaged", true);
                put_base64(object, "bytes_base64", value);
        }
}

static void put_body_of(const struct dump *dump, json_t *object, struct guid guid)
{
        char               key[ENGINE_GUID_KEY];
        struct str         value = { 0 };
        enum engine_result result;

        engine_guid_key(guid, key);
        result = dump->engine->ops->get(dump->engine, ENGINE_BODIES, str_from(key, sizeof key),
                                        &value);
        put_body(object, guid, result, value);
}

/* ---- records --------------------------------------------------------------------------------- */

static void put_session(const struct dump *dump, json_t *object, const struct record_session *s)
{
        static const char *const levels[] = { "memory", "relaxed", "strict" };

        put_str(object, "client_id", s->client_id);
        if (s->username.len > 0)
                put_str(object, "username", s->username);
        put_text(object, "durability", levels[s->durability]);
        put_time(object, "created", s->created_us);
        put_flag(object, "connected", s->disconnected_us == 0);
        if (s->disconnected_us != 0)
                put_time(object, "disconnected", s->disconnected_us);
        put_number(object, "expiry_s", s->expiry_s);    /* 4294967295: never */
        if (s->disconnected_us != 0 && s->expiry_s != UINT32_MAX)
                put_time(object, "ends", s->disconnected_us + s->expiry_s * 1000000ull);
        if (s->has_will) {
                json_t *will = json_object();

                put_number(will, "delay_s", s->will_delay_s);
                put_body_of(dump, will, s->will);
                json_object_set_new(object, "will", will);
        }
}

static void put_subscription(json_t *object, const struct record_subscription *s)
{
        put_str(object, "name", s->name);
        put_number(object, "qos", s->options.qos);
        put_flag(object, "no_local", s->options.no_local);
        put_flag(object, "retain_as_published", s->options.retain_as_published);
        put_number(object, "retain_handling", s->options.retain_handling);
        if (s->options.id != 0)
                put_number(object, "subscription_id", s->options.id);
}

static void put_delivery(const struct dump *dump, json_t *object, const struct record_delivery *d)
{
        json_t *ids = json_array();

        put_text(object, "state", d->released ? "released" : d->packet_id != 0 ? "sent" : "queued");
        put_number(object, "qos", d->qos);
        put_flag(object, "retain", d->retain);
        if (d->packet_id != 0)
                put_number(object, "packet_id", d->packet_id);
        put_flag(object, "shared", d->shared);
        if (d->priority != 0)
                put_number(object, "priority", d->priority);
        for (uint32_t i = 0; i < d->id_count; i++)
                json_array_append_new(ids, json_integer(d->ids[i]));
        if (d->id_count > 0)
                json_object_set(object, "subscription_ids", ids);
        json_decref(ids);
        if (d->has_message)
                put_body_of(dump, object, d->message);
}

static void put_marks(json_t *object, const struct record_marks *marks)
{
        json_t *newest = json_array();

        for (uint32_t i = 0; i < marks->count; i++) {
                json_t *mark = json_object();

                put_guid(mark, "message", marks->newest[i]);
                put_time(mark, "published", marks->newest[i].time_us);
                json_array_append_new(newest, mark);
        }
        json_object_set_new(object, "newest", newest);
}

static void put_record(const struct dump *dump, json_t *object, const struct record *record)
{
        switch (record->kind) {
        case RECORD_MARKS:
                put_marks(object, &record->marks);
                break;
        case RECORD_SESSION:
                put_session(dump, object, &record->session);
                break;
        case RECORD_SUBSCRIPTION:
                put_subscription(object, &record->subscription);
                break;
        case RECORD_DELIVERY:
                put_delivery(dump, object, &record->delivery);
                break;
        case RECORD_AWAITING:
                put_number(object, "packet_id", record->awaiting.packet_id);
                break;
        case RECORD_RETAINED:
                put_flag(object, "retain", true);
                put_body_of(dump, object, record->retained.message);
                break;
        case RECORD_PENDING:
                put_time(object, "due", record->pending.due_us);
                if (record->pending.name.len > 0)
                        put_str(object, "for", record->pending.name);
                put_body_of(dump, object, record->pending.message);
                break;
        case RECORD_KINDS:
                break;
        }
}

/* ---- lines ----------------------------------------------------------------------------------- */

/* Takes the object. */
static bool print(struct dump *dump, json_t *object)
{
        bool good = object != NULL && json_dumpf(object, stdout, JSON_COMPACT) == 0 &&
                    putchar('\n') != EOF;

        json_decref(object);
        if (!good) {
                fputs("Error: out of memory, or nobody takes the output\n", stderr);
                dump->failed = true;
        }
        return good;
}

static void put_key(json_t *object, enum engine_table table, struct str key)
{
        if (table == ENGINE_RECORDS && key.len == ENGINE_RECORD_KEY)
                put_number(object, "key", engine_record_key_of(key));
        else if (key.len == ENGINE_GUID_KEY)
                put_guid(object, "message", engine_guid_of(key));
        else
                put_base64(object, "key_base64", key);
}

static bool print_bytes(struct dump *dump, const char *kind, enum engine_table table,
                        struct str key, struct str value)
{
        json_t *object = json_object();

        put_text(object, "kind", kind);
        put_text(object, "table", engine_table_name(table));
        put_key(object, table, key);
        put_base64(object, "bytes_base64", value);
        return print(dump, object);
}

static bool see_record(void *context, struct str bytes, struct str value, bool damaged)
{
        struct dump                 *dump = context;
        uint64_t                     key  = engine_record_key_of(bytes);
        json_t                      *object;
        struct record                record;
        const struct census_session *session;
        bool                         twice;

        if (damaged || bytes.len != ENGINE_RECORD_KEY || !record_decode(value, &record))
                return print_bytes(dump, "damaged", ENGINE_RECORDS, bytes, value);
        if (!census_add(&dump->census, key, &record, &twice))
                return print(dump, NULL);
        object = json_object();
        put_text(object, "kind", record_kind_name(record.kind));
        put_number(object, "key", key);
        session = census_session(&dump->census, record_session(&record));
        if (session != NULL)
                put_str(object, "client_id", session->client_id);
        else if (record_session(&record) != 0)
                put_number(object, "session_missing", record_session(&record));
        put_record(dump, object, &record);
        return print(dump, object);
}

/* Those that no record has shown. */
static bool see_body(void *context, struct str bytes, struct str value, bool damaged)
{
        struct dump *dump = context;
        struct guid  guid = engine_guid_of(bytes);
        json_t      *object;

        if (census_message(&dump->census, guid) != NULL)
                return true;
        if (damaged)
                return print_bytes(dump, "damaged", ENGINE_BODIES, bytes, value);
        object = json_object();
        put_text(object, "kind", "orphan");
        put_body(object, guid, ENGINE_OK, value);
        return print(dump, object);
}

static bool see_aside(void *context, struct str bytes, struct str value, bool damaged)
{
        enum engine_table table = bytes.len > 0 ? (enum engine_table)bytes.ptr[0] : ENGINE_TABLES;

        (void)damaged;
        return print_bytes(context, "aside", table, str_skip(bytes, bytes.len > 0), value);
}

int store_dump(struct engine *engine)
{
        struct dump dump = { .engine = engine };
        bool        whole;

        census_init(&dump.census);
        whole = store_walk(engine, ENGINE_RECORDS, see_record, &dump) &&
                store_walk(engine, ENGINE_BODIES, see_body, &dump) &&
                store_walk(engine, ENGINE_ASIDE, see_aside, &dump);
        census_deinit(&dump.census);
        return whole && !dump.failed ? STORE_CLEAN : STORE_FAILED;
}
