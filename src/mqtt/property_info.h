/* What is known of each property, for decoding and encoding. Private to mqtt/. */
#ifndef LINNET_MQTT_PROPERTY_INFO_H
#define LINNET_MQTT_PROPERTY_INFO_H

#include "mqtt/lower.h"
#include "mqtt/property.h"

struct property_info {
        char               name[LOWER_WORD_SIZE];
        enum property_type type;
        uint16_t           places;      /* bit n: may stand in packet type n; bit 0: in a will */
        bool               many;        /* may stand more than once */
};

/* Where in struct properties its value is kept, and the bounds of a number. */
struct property_value {
        uint16_t offset;
        uint32_t min, max;
};

/* By identifier; .type is NONE where there is no such property. Properties that are pairs have no
 * member; the others a uint8_t for BYTE, a uint16_t for TWO, a uint32_t for FOUR and VARINT, a
 * struct str for STRING and BINARY. */
extern const struct property_info  property_infos[PROPERTY_IDS];
extern const struct property_value property_values[PROPERTY_IDS];

#endif
