/* Property sections, from struct properties. */
#include "mqtt/encoding.h"

#include <assert.h>

#include "mqtt/encode.h"
#include "mqtt/property_info.h"

#define ONCE 1
#define MANY 0

/* Those that stand in a member of struct properties. */
static const uint64_t once_mask = 0
#define PROPERTY(id, name, type, where, times) | (uint64_t)(times) << (id)
#include "mqtt/property.tbl.h"
        ;

static void encode_member(struct writer *w, enum property_id id, const struct properties *p);
static void encode_raw(struct writer *w, struct str raw, uint64_t written);

size_t encode_user_property(void *to, size_t size, struct str name, struct str value)
{
        struct writer w = writer_of(to, size);

        write_u8(&w, PROPERTY_USER_PROPERTY);
        write_binary(&w, name);
        write_binary(&w, value);
        return w.failed ? 0 : (size_t)(w.pos - (uint8_t *)to);
}

size_t encode_subscription_id(void *to, size_t size, uint32_t id)
{
        struct writer w = writer_of(to, size);

        assert(id > 0);
        write_u8(&w, PROPERTY_SUBSCRIPTION_ID);
        write_varint(&w, id);
        return w.failed ? 0 : (size_t)(w.pos - (uint8_t *)to);
}

bool properties_empty(const struct properties *properties)
{
        return (properties->present & once_mask) == 0 && properties->raw.len == 0;
}

void encode_properties(struct writer *w, unsigned place, const struct properties *properties)
{
        if (properties == NULL) {
                write_u8(w, 0);
                return;
        }

        uint64_t           once   = properties->present & once_mask;
        struct open_length length = length_open(w); /* also of none [MQTT5-2.2.2-1] */

        for (uint64_t left = once; left != 0; left &= left - 1) {
                enum property_id id = (enum property_id)__builtin_ctzll(left);

                assert(property_infos[id].places >> place & 1);
                encode_member(w, id, properties);
        }
        encode_raw(w, properties->raw, once);
        length_close(w, length);
}

static void encode_member(struct writer *w, enum property_id id, const struct properties *p)
{
        const void *member = (const char *)p + property_values[id].offset;

        write_u8(w, (uint8_t)id);
        switch (property_infos[id].type) {
        case PROPERTY_TYPE_BYTE:
                write_u8(w, *(const uint8_t *)member);
                return;
        case PROPERTY_TYPE_TWO:
                write_u16(w, *(const uint16_t *)member);
                return;
        case PROPERTY_TYPE_FOUR:
                write_u32(w, *(const uint32_t *)member);
                return;
        case PROPERTY_TYPE_STRING:
        case PROPERTY_TYPE_BINARY:
                write_binary(w, *(const struct str *)member);
                return;
        case PROPERTY_TYPE_VARINT:
        case PROPERTY_TYPE_PAIR:
        case PROPERTY_TYPE_NONE:
                break;
        }
        assert(false); /* these are never kept in a member alone */
}

/* A section that was decoded holds again what has been written from members. */
static void encode_raw(struct writer *w, struct str raw, uint64_t written)
{
        struct property property;

        if (written == 0) {
                write_bytes(w, raw);
                return;
        }
        while (property_next(&raw, &property)) {
                if ((written >> property.id & 1) == 0)
                        write_bytes(w, property.bytes);
        }
}
