/* The first byte says in which packet the rest stands as a property section. What is accepted holds
 * every rule, its members say what its bytes say, and it can be written and read again. */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "fuzz/same_packet.h"
#include "mqtt/decoding.h"
#include "mqtt/encoding.h"
#include "mqtt/property_info.h"
#include "mqtt/topic.h"
#include "mqtt/utf8.h"

static bool decode_section(struct str bytes, unsigned place, struct properties *out)
{
        struct decode_error error = { 0 };
        struct decoding     d     = {
                    .reader  = reader_of(bytes),
                    .version = MQTT_5,
                    .error   = &error,
        };

        if (decode_properties(&d, place, out)) {
                assert(!d.reader.failed && reader_left(&d.reader) == 0);
                return true;
        }
        assert(reason_is_error(error.reason) && error.what[0] != '\0');
        return false;
}

static void check_member(const struct properties *p, const struct property *property)
{
        const void *member = (const char *)p + property_values[property->id].offset;

        switch (property_type(property->id)) {
        case PROPERTY_TYPE_BYTE:
                assert(*(const uint8_t *)member == property->number);
                return;
        case PROPERTY_TYPE_TWO:
                assert(*(const uint16_t *)member == property->number);
                return;
        case PROPERTY_TYPE_FOUR:
                assert(*(const uint32_t *)member == property->number);
                return;
        case PROPERTY_TYPE_STRING:
                assert(utf8_valid(property->value));
                assert(str_eq(*(const struct str *)member, property->value));
                return;
        case PROPERTY_TYPE_BINARY:
                assert(str_eq(*(const struct str *)member, property->value));
                return;
        case PROPERTY_TYPE_PAIR:
                assert(utf8_valid(property->name) && utf8_valid(property->value));
                return;
        case PROPERTY_TYPE_VARINT:
                assert(property->number > 0);
                return;
        case PROPERTY_TYPE_NONE:
                break;
        }
        assert(false);
}

static void check_rules(unsigned place, const struct properties *p)
{
        struct str      raw = p->raw;
        struct property property;
        unsigned        count[PROPERTY_IDS] = { 0 };
        size_t          size                = 0;

        while (property_next(&raw, &property)) {
                assert(property.id < PROPERTY_IDS && property_name(property.id) != NULL);
                assert(property_infos[property.id].places >> place & 1);
                assert(property_has(p, property.id));
                count[property.id]++;
                size += property.bytes.len;
                check_member(p, &property);
        }
        assert(size == p->raw.len);
        for (unsigned id = 0; id < PROPERTY_IDS; id++) {
                assert((count[id] > 0) == property_has(p, id));
                assert(count[id] <= 1 || property_infos[id].many);
        }
        assert(count[PROPERTY_USER_PROPERTY] == p->user_count);
        assert(count[PROPERTY_SUBSCRIPTION_ID] == p->subscription_id_count);
        assert(p->user_count <= PACKET_USER_PROPS_MAX);
        assert(p->subscription_id_count <= (place == PACKET_SUBSCRIBE ? 1 : SUBSCRIPTION_IDS_MAX));
        if (property_has(p, PROPERTY_RESPONSE_TOPIC))
                assert(topic_name_valid(p->response_topic));
        assert(!count[PROPERTY_AUTH_DATA] || count[PROPERTY_AUTH_METHOD]);
        assert(!count[PROPERTY_RECEIVE_MAXIMUM] || p->receive_maximum > 0);
        assert(!count[PROPERTY_TOPIC_ALIAS] || p->topic_alias > 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        if (size == 0)
                return 0;

        unsigned          place = data[0] % PACKET_TYPES;
        size_t            room  = size + 4;
        char             *bytes = malloc(room), *again = malloc(room);
        struct writer     w     = writer_of(bytes, room);
        struct properties p, q;

        write_varint(&w, (uint32_t)size - 1);
        write_bytes(&w, str_from(data + 1, size - 1));
        if (decode_section(str_from(bytes, (size_t)((char *)w.pos - bytes)), place, &p)) {
                check_rules(place, &p);
                w = writer_of(again, (size_t)((char *)w.pos - bytes));
                encode_properties(&w, place, &p);
                assert(!w.failed && w.pos == w.end);
                assert(decode_section(str_from(again, (size_t)((char *)w.pos - again)), place, &q));
                assert(same_properties(&p, &q));
        }
        free(bytes);
        free(again);
        return 0;
}
