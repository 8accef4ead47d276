/* Messages: one allocation each, filled once. */
#include "core/message.h"

#include <assert.h>
#include <string.h>

#include "base/memory.h"
#include "core/receipt.h"
#include "mqtt/property.h"

#define SECOND_US 1000000ull

static struct message *message_alloc(struct str topic, struct str payload, size_t properties_len,
                                     struct str client_id, struct str username);
static size_t          body_size(const struct message *message);
static char           *add(char *to, struct str bytes);
static char           *add_topic(char *to, struct str topic);
static bool            passed_on(enum property_id id);
static size_t          passed_on_size(const struct properties *properties);
static char           *add_passed_on(char *to, const struct properties *properties);
static uint64_t        expiry_of(const struct message_fields *fields);

struct message *message_new(const struct message_fields *fields)
{
        size_t          properties_len = passed_on_size(fields->properties);
        struct message *message = message_alloc(fields->topic, fields->payload, properties_len,
                                                fields->client_id, fields->username);

        if (message == NULL)
                return NULL;
        message->qos        = fields->qos;
        message->retain     = fields->retain;
        message->expires_us = expiry_of(fields);
        message->from       = fields->from;
        message->guid       = fields->guid;

        char *to = add_topic(message->bytes, fields->topic);

        to = add_passed_on(to, fields->properties);
        to = add(to, fields->payload);
        to = add(to, fields->client_id);
        to = add(to, fields->username);
        assert(to == message->bytes + body_size(message));
        return message;
}

struct message *message_restore(const struct message_parts *parts)
{
        struct message *message = message_alloc(parts->topic, parts->payload,
                                                parts->properties.len, parts->client_id,
                                                parts->username);

        if (message == NULL)
                return NULL;
        message->qos        = (uint8_t)parts->qos;
        message->retain     = parts->retain;
        message->expires_us = parts->expires_us;
        message->guid       = parts->guid;

        char *to = add_topic(message->bytes, parts->topic);

        to = add(to, parts->properties);
        to = add(to, parts->payload);
        to = add(to, parts->client_id);
        to = add(to, parts->username);
        assert(to == message->bytes + body_size(message));
        return message;
}

static struct message *copy_of(const struct message *message, struct str topic)
{
        const struct message_parts parts = {
                .topic      = topic,
                .properties = message_properties(message),
                .payload    = message_payload(message),
                .client_id  = message_client_id(message),
                .username   = message_username(message),
                .qos        = message->qos,
                .retain     = message->retain,
                .expires_us = message->expires_us,
                .guid       = message->guid,
        };
        struct message *copy = message_restore(&parts);

        if (copy == NULL)
                return NULL;
        copy->local_only = message->local_only;
        copy->from       = message->from;
        return copy;
}

struct message *message_copy(struct message *message, struct str topic, uint8_t qos, bool retain)
{
        struct message *copy = copy_of(message, topic);

        if (copy == NULL)
                return NULL;
        copy->qos     = qos;
        copy->retain  = retain;
        copy->receipt = TAKE(message->receipt);
        return copy;
}

struct message *message_renew(const struct message *message, struct str topic, struct guid guid)
{
        struct message *copy = copy_of(message, topic);

        if (copy != NULL)
                copy->guid = guid;
        return copy;
}

void message_free(struct message *message)
{
        assert(atomic_load_explicit(&message->refs, memory_order_relaxed) == 0);
        if (message->receipt != NULL)
                receipt_put(message->receipt);
        mem_free_known(message, sizeof *message + body_size(message));
}

/* With one reference and all lengths; the rest is zero, the bytes are to be written. */
static struct message *message_alloc(struct str topic, struct str payload, size_t properties_len,
                                     struct str client_id, struct str username)
{
        assert(topic.len > 0 && topic.len <= UINT16_MAX);
        assert(client_id.len <= UINT16_MAX && username.len <= UINT16_MAX);
        assert(payload.len <= UINT32_MAX && properties_len <= UINT32_MAX);

        struct message *message = mem_alloc_known(sizeof *message + 2 + topic.len +
                                                  properties_len + payload.len + client_id.len +
                                                  username.len);

        if (message == NULL)
                return NULL;
        *message = (struct message){
                .properties_len = (uint32_t)properties_len,
                .payload_len    = (uint32_t)payload.len,
                .topic_len      = (uint16_t)topic.len,
                .client_id_len  = (uint16_t)client_id.len,
                .username_len   = (uint16_t)username.len,
        };
        atomic_init(&message->refs, 1);
        return message;
}

static size_t body_size(const struct message *message)
{
        return (size_t)2 + message->topic_len + message->properties_len + message->payload_len +
               message->client_id_len + message->username_len;
}

/* Where the next ones go. There is room for all: the lengths are the message's. */
static char *add(char *to, struct str bytes)
{
        if (bytes.len > 0)
                memcpy(to, bytes.ptr, bytes.len);
        return to + bytes.len;
}

static char *add_topic(char *to, struct str topic)
{
        *to++ = (char)(topic.len >> 8);
        *to++ = (char)topic.len;
        return add(to, topic);
}

/* What the publisher says to the receivers and not to the broker: unaltered [MQTT5-3.3.2-4]
 * [MQTT5-3.3.2-15] [MQTT5-3.3.2-16] [MQTT5-3.3.2-17] [MQTT5-3.3.2-20]. */
static bool passed_on(enum property_id id)
{
        return id == PROPERTY_PAYLOAD_FORMAT || id == PROPERTY_CONTENT_TYPE ||
               id == PROPERTY_RESPONSE_TOPIC || id == PROPERTY_CORRELATION_DATA ||
               id == PROPERTY_USER_PROPERTY;
}

static size_t passed_on_size(const struct properties *properties)
{
        struct str      raw  = properties != NULL ? properties->raw : (struct str){ 0 };
        size_t          size = 0;
        struct property property;

        /* A packet without properties leaves all but .present unspecified. */
        if (properties == NULL || properties->present == 0)
                return 0;
        while (property_next(&raw, &property))
                size += passed_on(property.id) ? property.bytes.len : 0;
        return size;
}

/* In the order they came in, which for user properties is part of their meaning [MQTT-3.3.2-18]. */
static char *add_passed_on(char *to, const struct properties *properties)
{
        struct property property;

        if (properties == NULL || properties->present == 0)
                return to;
        for (struct str raw = properties->raw; property_next(&raw, &property);)
                if (passed_on(property.id))
                        to = add(to, property.bytes);
        return to;
}

static uint64_t expiry_of(const struct message_fields *fields)
{
        const struct properties *properties = fields->properties;

        if (properties == NULL || !property_has(properties, PROPERTY_MESSAGE_EXPIRY))
                return 0;

        uint64_t expires_us = fields->wall_us + properties->message_expiry_s * SECOND_US;

        return expires_us != 0 ? expires_us : 1;        /* 0 would be never */
}
