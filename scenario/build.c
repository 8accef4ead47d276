#include "build.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mqtt/encode.h"
#include "mqtt/writer.h"

enum { SECTION_BYTES = 8192, FILTERS_MAX = 32, PAYLOAD_BYTES = 300000 };

struct section {
        uint8_t           bytes[SECTION_BYTES];
        struct properties properties;
};

enum reason build_reason(const char *text, enum reason otherwise)
{
        enum reason reason = otherwise;

        if (text == NULL || reason_from_name(text, &reason))
                return reason;
        return (enum reason)strtoul(text, NULL, 0);
}

static void write_property(struct writer *w, enum property_id id, const char *value)
{
        const char *colon = strchr(value, ':');
        uint32_t    number = (uint32_t)strtoul(value, NULL, 0);

        write_u8(w, (uint8_t)id);
        switch (property_type(id)) {
        case PROPERTY_TYPE_BYTE:
                write_u8(w, (uint8_t)number);
                break;
        case PROPERTY_TYPE_TWO:
                write_u16(w, (uint16_t)number);
                break;
        case PROPERTY_TYPE_FOUR:
                write_u32(w, number);
                break;
        case PROPERTY_TYPE_VARINT:
                write_varint(w, number);
                break;
        case PROPERTY_TYPE_STRING:
        case PROPERTY_TYPE_BINARY:
                write_binary(w, str_of(value));
                break;
        case PROPERTY_TYPE_PAIR:
                write_binary(w, str_from(value, colon ? (size_t)(colon - value) : strlen(value)));
                write_binary(w, colon ? str_of(colon + 1) : STR(""));
                break;
        case PROPERTY_TYPE_NONE:
                break;
        }
}

/* Everything goes into .raw, so that a scenario may say what the encoder would not. */
static const struct properties *build_properties(struct section *section, const struct words *words,
                                                 bool will)
{
        struct writer w = writer_of(section->bytes, sizeof section->bytes);

        for (unsigned id = 1; id < PROPERTY_IDS; id++) {
                const char *name = property_name((enum property_id)id), *value;
                char        key[64];

                if (name == NULL || (!will && id == PROPERTY_WILL_DELAY))
                        continue;
                snprintf(key, sizeof key, "%s%s", will && id != PROPERTY_WILL_DELAY ? "will_" : "",
                         name);
                for (unsigned i = 0; (value = words_value(words, key, i)) != NULL; i++)
                        write_property(&w, (enum property_id)id, value);
        }
        memset(&section->properties, 0, sizeof section->properties);
        section->properties.raw = str_from(section->bytes, (size_t)(w.pos - section->bytes));
        return &section->properties;
}

static struct str text_of(const struct words *words, const char *key)
{
        const char *value = words_value(words, key, 0);

        return value != NULL ? str_of(value) : STR("");
}

static size_t build_connect(void *to, size_t size, const struct words *words,
                            const struct build_client *client)
{
        static struct section own, will;
        const char           *given   = words_value(words, "client_id", 0);
        const char           *id      = given == NULL             ? client->name
                                        : strcmp(given, "?") == 0 ? client->assigned
                                                                  : given;
        struct connect_packet connect = {
                .version      = client->version,
                .clean_start  = words_number(words, "clean", 1) != 0,
                .keep_alive_s = (uint16_t)words_number(words, "keepalive", 0),
                .client_id    = str_of(id),
                .has_username = words_value(words, "username", 0) != NULL,
                .username     = text_of(words, "username"),
                .has_password = words_value(words, "password", 0) != NULL,
                .password     = text_of(words, "password"),
                .properties   = *build_properties(&own, words, false),
                .will         = {
                        .present    = words_value(words, "will_topic", 0) != NULL,
                        .topic      = text_of(words, "will_topic"),
                        .payload    = text_of(words, "will_payload"),
                        .qos        = (uint8_t)words_number(words, "will_qos", 0),
                        .retain     = words_number(words, "will_retain", 0) != 0,
                        .properties = *build_properties(&will, words, true),
                },
        };

        return encode_connect(to, size, &connect);
}

static size_t build_publish(void *to, size_t size, const struct words *words,
                            enum mqtt_version version)
{
        static struct section section;
        static char           filled[PAYLOAD_BYTES];
        unsigned              bytes   = words_number(words, "payload_size", 0);
        struct publish_packet publish = {
                .dup        = words_number(words, "dup", 0) != 0,
                .qos        = (uint8_t)words_number(words, "qos", 0),
                .retain     = words_number(words, "retain", 0) != 0,
                .packet_id  = (uint16_t)words_number(words, "id", 0),
                .topic      = text_of(words, "topic"),
                .payload    = text_of(words, "payload"),
                .properties = *build_properties(&section, words, false),
        };

        memset(filled, 'x', sizeof filled);
        if (bytes > 0 && bytes <= sizeof filled)
                publish.payload = str_from(filled, bytes);
        return encode_publish(to, size, version, &publish);
}

static size_t build_subscribe(void *to, size_t size, const struct words *words,
                              enum mqtt_version version, bool away)
{
        static struct section section;
        struct subscribe_item items[FILTERS_MAX];
        struct str            names[FILTERS_MAX];
        const char           *filter, *qos;
        unsigned              count = 0;
        uint16_t              id    = (uint16_t)words_number(words, "id", 1);

        for (; count < FILTERS_MAX && (filter = words_value(words, "filter", count)); count++) {
                qos          = words_value(words, "qos", count);
                names[count] = str_of(filter);
                items[count] = (struct subscribe_item){
                        .filter              = names[count],
                        .qos                 = (uint8_t)(qos ? strtoul(qos, NULL, 10) : 0),
                        .no_local            = words_number(words, "no_local", 0) != 0,
                        .retain_as_published = words_number(words, "rap", 0) != 0,
                        .retain_handling     = (uint8_t)words_number(words, "rh", 0),
                };
        }
        build_properties(&section, words, false);
        if (away)
                return encode_unsubscribe(to, size, version,
                                          &(struct unsubscribe_request){ id, count, names,
                                                                         &section.properties });
        return encode_subscribe(to, size, version,
                                &(struct subscribe_request){ id, count, items,
                                                             &section.properties });
}

static size_t build_ack(void *to, size_t size, const char *verb, const struct words *words,
                        enum mqtt_version version, uint16_t last_id)
{
        static const char *const names[] = { "puback", "pubrec", "pubrel", "pubcomp" };
        static struct section    section;
        struct ack_packet        ack = {
                .packet_id  = (uint16_t)words_number(words, "id", last_id),
                .reason     = build_reason(words_value(words, "reason", 0), REASON_SUCCESS),
                .properties = *build_properties(&section, words, false),
        };

        for (unsigned i = 0; i < 4; i++) {
                if (strcmp(verb, names[i]) == 0)
                        return encode_ack(to, size, version, (enum packet_type)(PACKET_PUBACK + i),
                                          &ack);
        }
        return 0;
}

size_t build_packet(void *to, size_t size, const char *verb, const struct words *words,
                    const struct build_client *client)
{
        static struct section section;
        const char           *given   = words_value(words, "reason", 0);
        enum reason           reason  = build_reason(given, REASON_SUCCESS);
        enum mqtt_version     version = client->version;

        if (strcmp(verb, "connect") == 0)
                return build_connect(to, size, words, client);
        if (strcmp(verb, "publish") == 0)
                return build_publish(to, size, words, version);
        if (strcmp(verb, "subscribe") == 0 || strcmp(verb, "unsubscribe") == 0)
                return build_subscribe(to, size, words, version, verb[0] == 'u');
        if (strcmp(verb, "ping") == 0)
                return encode_empty(to, size, PACKET_PINGREQ);
        build_properties(&section, words, false);
        if (strcmp(verb, "disconnect") == 0)
                return encode_disconnect(to, size, version,
                                         &(struct disconnect_packet){ reason, section.properties });
        if (strcmp(verb, "auth") == 0)
                return encode_auth(to, size, &(struct auth_packet){ reason, section.properties });
        return build_ack(to, size, verb, words, version, client->last_id);
}

size_t build_hex(unsigned char *to, size_t size, const struct words *words, unsigned first)
{
        size_t len = 0;

        for (unsigned i = first; i < words->count; i++) {
                for (const char *p = words->word[i]; p[0] != '\0' && p[1] != '\0'; p += 2) {
                        char digits[3] = { p[0], p[1], '\0' };

                        if (len == size)
                                return 0;
                        to[len++] = (unsigned char)strtoul(digits, NULL, 16);
                }
        }
        return len;
}
