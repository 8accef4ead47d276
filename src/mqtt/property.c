/* The tables of properties, and walks over a section that was decoded before. */
#include "mqtt/property.h"

#include <assert.h>

#include "mqtt/packet.h"
#include "mqtt/property_info.h"
#include "mqtt/reader.h"

#define PROPERTY(id, name, type, where, times) \
        static_assert(sizeof(#name) <= LOWER_WORD_SIZE, "the name of a property is too long");
#include "mqtt/property.tbl.h"

#define IN(type) (1u << PACKET_##type)
#define IN_WILL  (1u << 0)
#define IN_ACKS  (IN(PUBACK) | IN(PUBREC) | IN(PUBREL) | IN(PUBCOMP))
#define IN_ALL                                                                                  \
        (IN(CONNECT) | IN(CONNACK) | IN(PUBLISH) | IN_ACKS | IN(SUBSCRIBE) | IN(SUBACK) |       \
         IN(UNSUBSCRIBE) | IN(UNSUBACK) | IN(DISCONNECT) | IN(AUTH))
#define ONCE false
#define MANY true

const struct property_info property_infos[PROPERTY_IDS] = {
#define PROPERTY(id, name, type, where, times) \
        [id] = { LOWER_WORD(#name), PROPERTY_TYPE_##type, (where), (times) },
#include "mqtt/property.tbl.h"
};

// clang-format off
#define AT(member)  offsetof(struct properties, member)
#define ANY         0, UINT32_MAX

const struct property_value property_values[PROPERTY_IDS] = {
        [PROPERTY_PAYLOAD_FORMAT]            = { AT(payload_format),            0, 1 },
        [PROPERTY_MESSAGE_EXPIRY]            = { AT(message_expiry_s),          ANY  },
        [PROPERTY_CONTENT_TYPE]              = { AT(content_type),              ANY  },
        [PROPERTY_RESPONSE_TOPIC]            = { AT(response_topic),            ANY  },
        [PROPERTY_CORRELATION_DATA]          = { AT(correlation_data),          ANY  },
        [PROPERTY_SUBSCRIPTION_ID]           = { AT(subscription_id),           1, UINT32_MAX },
        [PROPERTY_SESSION_EXPIRY]            = { AT(session_expiry_s),          ANY  },
        [PROPERTY_ASSIGNED_CLIENT_ID]        = { AT(assigned_client_id),        ANY  },
        [PROPERTY_SERVER_KEEP_ALIVE]         = { AT(server_keep_alive_s),       ANY  },
        [PROPERTY_AUTH_METHOD]               = { AT(auth_method),               ANY  },
        [PROPERTY_AUTH_DATA]                 = { AT(auth_data),                 ANY  },
        [PROPERTY_REQUEST_PROBLEM_INFO]      = { AT(request_problem_info),      0, 1 },
        [PROPERTY_WILL_DELAY]                = { AT(will_delay_s),              ANY  },
        [PROPERTY_REQUEST_RESPONSE_INFO]     = { AT(request_response_info),     0, 1 },
        [PROPERTY_RESPONSE_INFO]             = { AT(response_info),             ANY  },
        [PROPERTY_SERVER_REFERENCE]          = { AT(server_reference),          ANY  },
        [PROPERTY_REASON_STRING]             = { AT(reason_string),             ANY  },
        [PROPERTY_RECEIVE_MAXIMUM]           = { AT(receive_maximum),           1, UINT16_MAX },
        [PROPERTY_TOPIC_ALIAS_MAXIMUM]       = { AT(topic_alias_maximum),       ANY  },
        [PROPERTY_TOPIC_ALIAS]               = { AT(topic_alias),               1, UINT16_MAX },
        [PROPERTY_MAXIMUM_QOS]               = { AT(maximum_qos),               0, 1 },
        [PROPERTY_RETAIN_AVAILABLE]          = { AT(retain_available),          0, 1 },
        [PROPERTY_MAXIMUM_PACKET_SIZE]       = { AT(maximum_packet_size),       1, UINT32_MAX },
        [PROPERTY_WILDCARD_AVAILABLE]        = { AT(wildcard_available),        0, 1 },
        [PROPERTY_SUBSCRIPTION_ID_AVAILABLE] = { AT(subscription_id_available), 0, 1 },
        [PROPERTY_SHARED_AVAILABLE]          = { AT(shared_available),          0, 1 },
};
// clang-format on

static void property_read(struct reader *r, enum property_type type, struct property *out);

bool property_next(struct str *raw, struct property *out)
{
        if (raw->len == 0)
                return false;

        struct reader  r     = reader_of(*raw);
        const uint8_t *start = r.pos;

        *out = (struct property){ .id = read_u8(&r) };
        property_read(&r, property_type(out->id), out);
        assert(!r.failed);
        out->bytes = str_from(start, (size_t)(r.pos - start));
        *raw       = str_skip(*raw, out->bytes.len);
        return true;
}

enum property_type property_type(enum property_id id)
{
        return (unsigned)id < PROPERTY_IDS ? property_infos[id].type : PROPERTY_TYPE_NONE;
}

const char *property_name(enum property_id id)
{
        return property_type(id) != PROPERTY_TYPE_NONE ? property_infos[id].name : NULL;
}

static void property_read(struct reader *r, enum property_type type, struct property *out)
{
        switch (type) {
        case PROPERTY_TYPE_BYTE:
                out->number = read_u8(r);
                break;
        case PROPERTY_TYPE_TWO:
                out->number = read_u16(r);
                break;
        case PROPERTY_TYPE_FOUR:
                out->number = read_u32(r);
                break;
        case PROPERTY_TYPE_VARINT:
                out->number = read_varint(r);
                break;
        case PROPERTY_TYPE_PAIR:
                out->name  = read_binary(r);
                out->value = read_binary(r);
                break;
        case PROPERTY_TYPE_STRING:
        case PROPERTY_TYPE_BINARY:
                out->value = read_binary(r);
                break;
        case PROPERTY_TYPE_NONE:
                reader_fail(r);
                break;
        }
}
