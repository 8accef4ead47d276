/* Bytes are a stream of packets, in each version in turn. Whatever decode() accepts, the encoders
 * write, and what they wrote is accepted and says the same. */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz/same_packet.h"
#include "mqtt/decode.h"
#include "mqtt/test_reencode.h"

static void check_filters(const struct packet *packet)
{
        struct subscribe_item item;
        struct str            filters, filter;
        unsigned              count = 0;

        if (packet->type == PACKET_SUBSCRIBE) {
                for (filters = packet->subscribe.filters; subscribe_next(&filters, &item); count++)
                        assert(item.filter.len > 0 && item.qos <= 2 && item.retain_handling <= 2);
                assert(count == packet->subscribe.count);
        } else if (packet->type == PACKET_UNSUBSCRIBE) {
                for (filters = packet->unsubscribe.filters; unsubscribe_next(&filters, &filter);
                     count++)
                        assert(filter.len > 0);
                assert(count == packet->unsubscribe.count);
        }
}

static void check_encoding(enum mqtt_version version, const struct packet *packet)
{
        /* Padded lengths and useless bytes are gone from what we write, so it is never longer. */
        uint8_t            *to = malloc(packet->size);
        size_t              size = test_reencode(to, packet->size, version, packet);
        struct frame        frame;
        struct packet       again;
        struct decode_error error;

        assert(size > 0 && size <= packet->size);
        assert(frame_peek(str_from(to, size), &frame) == FRAME_WHOLE);
        assert(frame.header_size + frame.body_size == size);
        assert(decode(&frame, str_from(to + frame.header_size, frame.body_size), version, &again,
                      &error));
        assert(again.size == size);
        assert(same_packet(packet, &again));
        assert(test_reencode(to, size - 1, version, packet) == 0);
        free(to);
}

/* The body stands alone on the heap, so that every byte read beyond it is seen. */
static void check_packet(enum mqtt_version version, const struct frame *frame, const uint8_t *body)
{
        char               *alone = malloc(frame->body_size + 1);
        struct packet       packet;
        struct decode_error error = { 0 };

        memcpy(alone, body, frame->body_size);
        if (decode(frame, str_from(alone, frame->body_size), version, &packet, &error)) {
                assert(packet.size == frame->header_size + frame->body_size);
                check_filters(&packet);
                check_encoding(version, &packet);
        } else {
                assert(reason_is_error(error.reason) && error.what[0] != '\0');
                if (packet.type == PACKET_CONNECT)
                        assert(packet.connect.version >= MQTT_3_1 &&
                               packet.connect.version <= MQTT_5);
        }
        free(alone);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        for (enum mqtt_version version = MQTT_3_1; version <= MQTT_5; version++) {
                struct frame frame;

                for (size_t at = 0; at < size; at += frame.header_size + frame.body_size) {
                        if (frame_peek(str_from(data + at, size - at), &frame) != FRAME_WHOLE)
                                break;
                        check_packet(version, &frame, data + at + frame.header_size);
                }
        }
        return 0;
}
