/* A decoded packet encoded again, as tests and fuzzers do with everything that decode() accepts. */
#ifndef LINNET_MQTT_TEST_REENCODE_H
#define LINNET_MQTT_TEST_REENCODE_H

#include <assert.h>

#include "base/limits.h"
#include "mqtt/encode.h"

static inline size_t test_reencode_subscribe(void *to, size_t size, enum mqtt_version version,
                                             const struct subscribe_packet *subscribe)
{
        static struct subscribe_item items[SUBSCRIBE_FILTERS_MAX];
        struct str                   filters = subscribe->filters;
        unsigned                     count   = 0;

        while (subscribe_next(&filters, &items[count]))
                count++;
        assert(count == subscribe->count);
        return encode_subscribe(to, size, version,
                                &(struct subscribe_request){
                                        .packet_id  = subscribe->packet_id,
                                        .count      = count,
                                        .items      = items,
                                        .properties = &subscribe->properties,
                                });
}

static inline size_t test_reencode_unsubscribe(void *to, size_t size, enum mqtt_version version,
                                               const struct unsubscribe_packet *unsubscribe)
{
        static struct str items[SUBSCRIBE_FILTERS_MAX];
        struct str        filters = unsubscribe->filters;
        unsigned          count   = 0;

        while (unsubscribe_next(&filters, &items[count]))
                count++;
        assert(count == unsubscribe->count);
        return encode_unsubscribe(to, size, version,
                                  &(struct unsubscribe_request){
                                          .packet_id  = unsubscribe->packet_id,
                                          .count      = count,
                                          .filters    = items,
                                          .properties = &unsubscribe->properties,
                                  });
}

static inline size_t test_reencode(void *to, size_t size, enum mqtt_version version,
                                   const struct packet *packet)
{
        switch (packet->type) {
        case PACKET_CONNECT:
                return encode_connect(to, size, &packet->connect);
        case PACKET_CONNACK:
                return encode_connack(to, size, version, &packet->connack);
        case PACKET_PUBLISH:
                return encode_publish(to, size, version, &packet->publish);
        case PACKET_PUBACK:
        case PACKET_PUBREC:
        case PACKET_PUBREL:
        case PACKET_PUBCOMP:
                return encode_ack(to, size, version, packet->type, &packet->ack);
        case PACKET_SUBSCRIBE:
                return test_reencode_subscribe(to, size, version, &packet->subscribe);
        case PACKET_SUBACK:
        case PACKET_UNSUBACK:
                return encode_suback(to, size, version, packet->type, &packet->suback);
        case PACKET_UNSUBSCRIBE:
                return test_reencode_unsubscribe(to, size, version, &packet->unsubscribe);
        case PACKET_PINGREQ:
        case PACKET_PINGRESP:
                return encode_empty(to, size, packet->type);
        case PACKET_DISCONNECT:
                return encode_disconnect(to, size, version, &packet->disconnect);
        case PACKET_AUTH:
                return encode_auth(to, size, &packet->auth);
        case PACKET_TYPES:
                break;
        }
        assert(false);
        return 0;
}

#endif
