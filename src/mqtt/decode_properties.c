/* Property sections: every rule of section 2.2.2 and of the sections on each packet that needs
 * nothing but the section itself. */
#include "mqtt/decoding.h"

#include <assert.h>

#include "base/limits.h"
#include "mqtt/property_info.h"
#include "mqtt/topic.h"

static bool decode_property(struct decoding *d, unsigned place, struct properties *out);
static bool decode_value(struct decoding *d, enum property_id id, struct properties *out);
static bool check_together(struct decoding *d, unsigned place, const struct properties *p);

bool decode_properties(struct decoding *d, unsigned place, struct properties *out)
{
        properties_none(out);
        if (d->version != MQTT_5)
                return true;

        uint32_t       size  = read_varint(&d->reader);
        const uint8_t *bytes = reader_take(&d->reader, size);

        if (size == 0 || bytes == NULL)
                return !d->reader.failed ||
                       decode_refuse(d, REASON_MALFORMED_PACKET, "the property length is wrong");
        out->raw = str_from(bytes, size);

        struct decoding section = { .reader = reader_of(out->raw), .error = d->error };

        while (reader_left(&section.reader) > 0) {
                if (!decode_property(&section, place, out))
                        return false;
        }
        return check_together(d, place, out);
}

static bool decode_property(struct decoding *d, unsigned place, struct properties *out)
{
        enum property_id id = read_u8(&d->reader);

        if (property_type(id) == PROPERTY_TYPE_NONE)
                return decode_refuse(d, REASON_MALFORMED_PACKET, "there is no such property");
        if ((property_infos[id].places >> place & 1) == 0) /* section 2.2.2.2 */
                return decode_refuse(d, REASON_MALFORMED_PACKET,
                                     "a property that this packet cannot have");
        if (property_has(out, id) && !property_infos[id].many)
                return decode_refuse(d, REASON_PROTOCOL_ERROR, "a property stands twice");
        property_set(out, id);
        return decode_value(d, id, out);
}

static bool decode_pair(struct decoding *d, struct properties *out)
{
        struct str name, value;

        if (!decode_string(d, &name) || !decode_string(d, &value)) /* [MQTT-1.5.7-1] */
                return false;
        if (out->user_count == PACKET_USER_PROPS_MAX)
                return decode_refuse(d, REASON_QUOTA_EXCEEDED, "too many user properties");
        out->user_count++;
        return true;
}

static bool check_number(struct decoding *d, enum property_id id, uint32_t number)
{
        if (d->reader.failed)
                return decode_refuse(d, REASON_MALFORMED_PACKET, "");
        if (number >= property_values[id].min && number <= property_values[id].max)
                return true;
        if (id == PROPERTY_TOPIC_ALIAS) /* [MQTT-3.3.2-8] */
                return decode_refuse(d, REASON_TOPIC_ALIAS_INVALID, "the topic alias is 0");
        return decode_refuse(d, REASON_PROTOCOL_ERROR,
                             "a property has a value that is not allowed");
}

static bool decode_subscription_id(struct decoding *d, struct properties *out)
{
        uint32_t number = read_varint(&d->reader);

        if (!check_number(d, PROPERTY_SUBSCRIPTION_ID, number))
                return false;
        if (out->subscription_id_count == SUBSCRIPTION_IDS_MAX)
                return decode_refuse(d, REASON_QUOTA_EXCEEDED, "too many subscription identifiers");
        if (out->subscription_id_count++ == 0)
                out->subscription_id = number;
        return true;
}

static bool decode_value(struct decoding *d, enum property_id id, struct properties *out)
{
        void *member = (char *)out + property_values[id].offset;

        switch (property_infos[id].type) {
        case PROPERTY_TYPE_BYTE:
                *(uint8_t *)member = read_u8(&d->reader);
                return check_number(d, id, *(uint8_t *)member);
        case PROPERTY_TYPE_TWO:
                *(uint16_t *)member = read_u16(&d->reader);
                return check_number(d, id, *(uint16_t *)member);
        case PROPERTY_TYPE_FOUR:
                *(uint32_t *)member = read_u32(&d->reader);
                return check_number(d, id, *(uint32_t *)member);
        case PROPERTY_TYPE_VARINT:
                return decode_subscription_id(d, out);
        case PROPERTY_TYPE_STRING: /* [MQTT-3.3.2-13] [MQTT-3.3.2-19] */
                return decode_string(d, member);
        case PROPERTY_TYPE_BINARY:
                *(struct str *)member = read_binary(&d->reader);
                return !d->reader.failed || decode_refuse(d, REASON_MALFORMED_PACKET, "");
        case PROPERTY_TYPE_PAIR:
                return decode_pair(d, out);
        case PROPERTY_TYPE_NONE:
                break;
        }
        assert(false);
        return false;
}

/* What one property says about another, or about the packet. */
static bool check_together(struct decoding *d, unsigned place, const struct properties *p)
{
        if (property_has(p, PROPERTY_RESPONSE_TOPIC) && !topic_name_valid(p->response_topic))
                return decode_refuse(d, REASON_PROTOCOL_ERROR, /* [MQTT-3.3.2-14] */
                                     "the response topic is not a topic name");
        if (property_has(p, PROPERTY_AUTH_DATA) && !property_has(p, PROPERTY_AUTH_METHOD))
                return decode_refuse(d, REASON_PROTOCOL_ERROR, /* section 3.1.2.11.10 */
                                     "authentication data without a method");
        if (place == PACKET_SUBSCRIBE && p->subscription_id_count > 1)
                return decode_refuse(d, REASON_PROTOCOL_ERROR, /* section 3.8.2.1.2 */
                                     "more than one subscription identifier");
        return true;
}
