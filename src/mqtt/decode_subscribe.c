/* SUBSCRIBE and UNSUBSCRIBE. Their filters are checked to be there, and walked again when used. */
#include "mqtt/decoding.h"

#include "base/limits.h"

static bool check_count(struct decoding *d, uint16_t packet_id, unsigned count);
static bool decode_filter(struct decoding *d, unsigned count);
static bool decode_options(struct decoding *d);

bool decode_subscribe(struct decoding *d, struct packet *out)
{
        struct subscribe_packet *s = &out->subscribe;

        s->packet_id = read_u16(&d->reader);
        s->count     = 0;
        if (!decode_properties(d, PACKET_SUBSCRIBE, &s->properties))
                return false;
        s->filters = str_from(d->reader.pos, reader_left(&d->reader));
        for (; reader_left(&d->reader) > 0; s->count++) {
                if (!decode_filter(d, s->count) || !decode_options(d))
                        return false;
        }
        return check_count(d, s->packet_id, s->count);
}

bool decode_unsubscribe(struct decoding *d, struct packet *out)
{
        struct unsubscribe_packet *u = &out->unsubscribe;

        u->packet_id = read_u16(&d->reader);
        u->count     = 0;
        if (!decode_properties(d, PACKET_UNSUBSCRIBE, &u->properties))
                return false;
        u->filters = str_from(d->reader.pos, reader_left(&d->reader));
        for (; reader_left(&d->reader) > 0; u->count++) {
                if (!decode_filter(d, u->count))
                        return false;
        }
        return check_count(d, u->packet_id, u->count);
}

static bool check_count(struct decoding *d, uint16_t packet_id, unsigned count)
{
        if (packet_id == 0) /* [MQTT-2.2.1-3] [MQTT-2.3.1-1] */
                return decode_refuse(d, REASON_PROTOCOL_ERROR, "the packet identifier is 0");
        /* [MQTT5-3.8.3-2] [MQTT3-3.8.3-3] [MQTT-3.10.3-2] */
        if (count == 0)
                return decode_refuse(d, REASON_PROTOCOL_ERROR, "no topic filter in it");
        return true;
}

static bool decode_filter(struct decoding *d, unsigned count)
{
        struct str filter;

        if (count == SUBSCRIBE_FILTERS_MAX)
                return decode_refuse(d, REASON_QUOTA_EXCEEDED, "too many topic filters");
        if (!decode_string(d, &filter)) /* [MQTT-3.8.3-1] [MQTT-3.10.3-1] */
                return false;
        if (filter.len == 0) /* [MQTT-4.7.3-1] */
                return decode_refuse(d, REASON_TOPIC_FILTER_INVALID, "an empty topic filter");
        return true;
}

static bool decode_options(struct decoding *d)
{
        uint8_t options = read_u8(&d->reader);

        if (d->reader.failed)
                return decode_refuse(d, REASON_MALFORMED_PACKET, "");
        if (d->version != MQTT_5 && options > 2) /* [MQTT3-3.8.3-4] */
                return decode_refuse(d, REASON_MALFORMED_PACKET, "the requested QoS is not 0 to 2");
        if (options & 0xc0) /* [MQTT-3.8.3-5] */
                return decode_refuse(d, REASON_MALFORMED_PACKET,
                                     "reserved bits of the subscription options are set");
        if ((options & 3) == 3) /* section 3.8.3.1 */
                return decode_refuse(d, REASON_PROTOCOL_ERROR, "a subscription with QoS 3");
        if ((options >> 4 & 3) == 3)
                return decode_refuse(d, REASON_PROTOCOL_ERROR, "the retain handling is 3");
        return true;
}
