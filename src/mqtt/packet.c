/* Walks over filters, names, and which reason may be given by whom in which packet. */
#include "mqtt/packet.h"

#include <assert.h>
#include <stddef.h>

#include "mqtt/reader.h"

enum {
        CLIENT  = PACKET_FROM_CLIENT,
        SERVER  = PACKET_FROM_SERVER,
        BOTH    = PACKET_FROM_ANYONE,
        REASONS = REASON_WILDCARD_SUBSCRIPTIONS_NOT_SUPPORTED + 1, /* that one is the last */
};

// clang-format off
#define PUBLISH_REASONS                                                                         \
        [REASON_SUCCESS]                                = BOTH,                                 \
        [REASON_NO_MATCHING_SUBSCRIBERS]                = SERVER,                               \
        [REASON_UNSPECIFIED_ERROR]                      = BOTH,                                 \
        [REASON_IMPLEMENTATION_SPECIFIC_ERROR]          = BOTH,                                 \
        [REASON_NOT_AUTHORIZED]                         = BOTH,                                 \
        [REASON_TOPIC_NAME_INVALID]                     = BOTH,                                 \
        [REASON_PACKET_IDENTIFIER_IN_USE]               = BOTH,                                 \
        [REASON_QUOTA_EXCEEDED]                         = BOTH,                                 \
        [REASON_PAYLOAD_FORMAT_INVALID]                 = BOTH

#define RELEASE_REASONS                                                                         \
        [REASON_SUCCESS]                                = BOTH,                                 \
        [REASON_PACKET_IDENTIFIER_NOT_FOUND]            = BOTH

/* MQTT 5.0: who may give which reason, from the table in the section of each packet. */
static const uint8_t reason_givers[PACKET_TYPES][REASONS] = {
        [PACKET_CONNACK] = {    /* [MQTT-3.2.2-8] */
                [REASON_SUCCESS]                                = SERVER,
                [REASON_UNSPECIFIED_ERROR]                      = SERVER,
                [REASON_MALFORMED_PACKET]                       = SERVER,
                [REASON_PROTOCOL_ERROR]                         = SERVER,
                [REASON_IMPLEMENTATION_SPECIFIC_ERROR]          = SERVER,
                [REASON_UNSUPPORTED_PROTOCOL_VERSION]           = SERVER,
                [REASON_CLIENT_IDENTIFIER_NOT_VALID]            = SERVER,
                [REASON_BAD_USER_NAME_OR_PASSWORD]              = SERVER,
                [REASON_NOT_AUTHORIZED]                         = SERVER,
                [REASON_SERVER_UNAVAILABLE]                     = SERVER,
                [REASON_SERVER_BUSY]                            = SERVER,
                [REASON_BANNED]                                 = SERVER,
                [REASON_BAD_AUTHENTICATION_METHOD]              = SERVER,
                [REASON_TOPIC_NAME_INVALID]                     = SERVER,
                [REASON_PACKET_TOO_LARGE]                       = SERVER,
                [REASON_QUOTA_EXCEEDED]                         = SERVER,
                [REASON_PAYLOAD_FORMAT_INVALID]                 = SERVER,
                [REASON_RETAIN_NOT_SUPPORTED]                   = SERVER,
                [REASON_QOS_NOT_SUPPORTED]                      = SERVER,
                [REASON_USE_ANOTHER_SERVER]                     = SERVER,
                [REASON_SERVER_MOVED]                           = SERVER,
                [REASON_CONNECTION_RATE_EXCEEDED]               = SERVER,
        },
        [PACKET_PUBACK]  = { PUBLISH_REASONS },         /* [MQTT-3.4.2-1] */
        [PACKET_PUBREC]  = { PUBLISH_REASONS },         /* [MQTT-3.5.2-1] */
        [PACKET_PUBREL]  = { RELEASE_REASONS },         /* [MQTT-3.6.2-1] */
        [PACKET_PUBCOMP] = { RELEASE_REASONS },         /* [MQTT-3.7.2-1] */
        [PACKET_SUBACK]  = {    /* [MQTT5-3.9.3-2] */
                [REASON_GRANTED_QOS_0]                          = SERVER,
                [REASON_GRANTED_QOS_1]                          = SERVER,
                [REASON_GRANTED_QOS_2]                          = SERVER,
                [REASON_UNSPECIFIED_ERROR]                      = SERVER,
                [REASON_IMPLEMENTATION_SPECIFIC_ERROR]          = SERVER,
                [REASON_NOT_AUTHORIZED]                         = SERVER,
                [REASON_TOPIC_FILTER_INVALID]                   = SERVER,
                [REASON_PACKET_IDENTIFIER_IN_USE]               = SERVER,
                [REASON_QUOTA_EXCEEDED]                         = SERVER,
                [REASON_SHARED_SUBSCRIPTIONS_NOT_SUPPORTED]     = SERVER,
                [REASON_SUBSCRIPTION_IDENTIFIERS_NOT_SUPPORTED] = SERVER,
                [REASON_WILDCARD_SUBSCRIPTIONS_NOT_SUPPORTED]   = SERVER,
        },
        [PACKET_UNSUBACK] = {   /* [MQTT-3.11.3-2] */
                [REASON_SUCCESS]                                = SERVER,
                [REASON_NO_SUBSCRIPTION_EXISTED]                = SERVER,
                [REASON_UNSPECIFIED_ERROR]                      = SERVER,
                [REASON_IMPLEMENTATION_SPECIFIC_ERROR]          = SERVER,
                [REASON_NOT_AUTHORIZED]                         = SERVER,
                [REASON_TOPIC_FILTER_INVALID]                   = SERVER,
                [REASON_PACKET_IDENTIFIER_IN_USE]               = SERVER,
        },
        [PACKET_DISCONNECT] = { /* [MQTT-3.14.2-1] */
                [REASON_NORMAL_DISCONNECTION]                   = BOTH,
                [REASON_DISCONNECT_WITH_WILL]                   = CLIENT,
                [REASON_UNSPECIFIED_ERROR]                      = BOTH,
                [REASON_MALFORMED_PACKET]                       = BOTH,
                [REASON_PROTOCOL_ERROR]                         = BOTH,
                [REASON_IMPLEMENTATION_SPECIFIC_ERROR]          = BOTH,
                [REASON_NOT_AUTHORIZED]                         = SERVER,
                [REASON_SERVER_BUSY]                            = SERVER,
                [REASON_SERVER_SHUTTING_DOWN]                   = SERVER,
                [REASON_BAD_AUTHENTICATION_METHOD]              = SERVER, /* section 2.4 has it */
                [REASON_KEEP_ALIVE_TIMEOUT]                     = SERVER,
                [REASON_SESSION_TAKEN_OVER]                     = SERVER,
                [REASON_TOPIC_FILTER_INVALID]                   = SERVER,
                [REASON_TOPIC_NAME_INVALID]                     = BOTH,
                [REASON_RECEIVE_MAXIMUM_EXCEEDED]               = BOTH,
                [REASON_TOPIC_ALIAS_INVALID]                    = BOTH,
                [REASON_PACKET_TOO_LARGE]                       = BOTH,
                [REASON_MESSAGE_RATE_TOO_HIGH]                  = BOTH,
                [REASON_QUOTA_EXCEEDED]                         = BOTH,
                [REASON_ADMINISTRATIVE_ACTION]                  = BOTH,
                [REASON_PAYLOAD_FORMAT_INVALID]                 = BOTH,
                [REASON_RETAIN_NOT_SUPPORTED]                   = SERVER,
                [REASON_QOS_NOT_SUPPORTED]                      = SERVER,
                [REASON_USE_ANOTHER_SERVER]                     = SERVER,
                [REASON_SERVER_MOVED]                           = SERVER,
                [REASON_SHARED_SUBSCRIPTIONS_NOT_SUPPORTED]     = SERVER,
                [REASON_CONNECTION_RATE_EXCEEDED]               = SERVER,
                [REASON_MAXIMUM_CONNECT_TIME]                   = SERVER,
                [REASON_SUBSCRIPTION_IDENTIFIERS_NOT_SUPPORTED] = SERVER,
                [REASON_WILDCARD_SUBSCRIPTIONS_NOT_SUPPORTED]   = SERVER,
        },
        [PACKET_AUTH] = {       /* [MQTT-3.15.2-1] */
                [REASON_SUCCESS]                                = SERVER,
                [REASON_CONTINUE_AUTHENTICATION]                = BOTH,
                [REASON_RE_AUTHENTICATE]                        = CLIENT,
        },
};

static const char *const packet_names[PACKET_TYPES] = {
        [PACKET_CONNECT]     = "CONNECT",
        [PACKET_CONNACK]     = "CONNACK",
        [PACKET_PUBLISH]     = "PUBLISH",
        [PACKET_PUBACK]      = "PUBACK",
        [PACKET_PUBREC]      = "PUBREC",
        [PACKET_PUBREL]      = "PUBREL",
        [PACKET_PUBCOMP]     = "PUBCOMP",
        [PACKET_SUBSCRIBE]   = "SUBSCRIBE",
        [PACKET_SUBACK]      = "SUBACK",
        [PACKET_UNSUBSCRIBE] = "UNSUBSCRIBE",
        [PACKET_UNSUBACK]    = "UNSUBACK",
        [PACKET_PINGREQ]     = "PINGREQ",
        [PACKET_PINGRESP]    = "PINGRESP",
        [PACKET_DISCONNECT]  = "DISCONNECT",
        [PACKET_AUTH]        = "AUTH",
};
// clang-format on

bool subscribe_next(struct str *filters, struct subscribe_item *out)
{
        if (filters->len == 0)
                return false;

        struct reader r       = reader_of(*filters);
        struct str    filter  = read_binary(&r);
        uint8_t       options = read_u8(&r);

        assert(!r.failed);
        *filters = reader_rest(&r);
        *out     = (struct subscribe_item){
                    .filter              = filter,
                    .qos                 = options & 3,
                    .no_local            = (options & 4) != 0,
                    .retain_as_published = (options & 8) != 0,
                    .retain_handling     = options >> 4 & 3,
        };
        return true;
}

bool unsubscribe_next(struct str *filters, struct str *filter)
{
        if (filters->len == 0)
                return false;

        struct reader r = reader_of(*filters);

        *filter = read_binary(&r);
        assert(!r.failed);
        *filters = reader_rest(&r);
        return true;
}

const char *packet_name(enum packet_type type)
{
        if ((unsigned)type >= PACKET_TYPES || packet_names[type] == NULL)
                return "packet of type 0";
        return packet_names[type];
}

bool packet_reason_allowed(enum packet_type type, enum reason reason, unsigned from)
{
        assert((unsigned)type < PACKET_TYPES && (from & ~(unsigned)BOTH) == 0);

        return (unsigned)reason < REASONS && (reason_givers[type][reason] & from) != 0;
}
