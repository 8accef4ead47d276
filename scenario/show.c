#include "show.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

#include "build.h"

static void show_text(struct buffer *to, const char *key, struct str text)
{
        buffer_printf(to, "%s=%.*s\n", key, STR_ARGS(text));
}

static void show_number(struct buffer *to, const char *key, uint32_t number)
{
        buffer_printf(to, "%s=%u\n", key, number);
}

/* What may stand many times becomes one word, so that its order is compared:
 * user_property=a:1,b:2 */
static void show_many(struct buffer *to, struct str raw, enum property_id id)
{
        struct property property;
        bool            any = false;

        while (property_next(&raw, &property)) {
                if (property.id != id)
                        continue;
                buffer_printf(to, any ? "," : "%s=", property_name(id));
                if (id == PROPERTY_USER_PROPERTY)
                        buffer_printf(to, "%.*s:%.*s", STR_ARGS(property.name),
                                      STR_ARGS(property.value));
                else
                        buffer_printf(to, "%u", property.number);
                any = true;
        }
        if (any)
                buffer_printf(to, "\n");
}

static void show_properties(struct buffer *to, const struct properties *properties)
{
        struct str      raw = properties->raw;
        struct property property;

        while (property_next(&raw, &property)) {
                enum property_type type = property_type(property.id);

                if (type == PROPERTY_TYPE_PAIR || property.id == PROPERTY_SUBSCRIPTION_ID)
                        continue;
                if (type == PROPERTY_TYPE_STRING || type == PROPERTY_TYPE_BINARY)
                        show_text(to, property_name(property.id), property.value);
                else
                        show_number(to, property_name(property.id), property.number);
        }
        show_many(to, properties->raw, PROPERTY_USER_PROPERTY);
        show_many(to, properties->raw, PROPERTY_SUBSCRIPTION_ID);
}

static void show_publish(struct buffer *to, const struct publish_packet *publish)
{
        show_text(to, "topic", publish->topic);
        show_text(to, "payload", publish->payload);
        show_number(to, "payload_size", (uint32_t)publish->payload.len);
        show_number(to, "qos", publish->qos);
        show_number(to, "retain", publish->retain);
        show_number(to, "dup", publish->dup);
        if (publish->qos > 0)
                show_number(to, "id", publish->packet_id);
        show_properties(to, &publish->properties);
}

static void show_suback(struct buffer *to, const struct suback_packet *suback)
{
        show_number(to, "id", suback->packet_id);
        for (size_t i = 0; i < suback->reasons.len; i++)
                buffer_printf(to, "%s0x%02x", i == 0 ? "codes=" : ",",
                              (unsigned char)suback->reasons.ptr[i]);
        if (suback->reasons.len > 0)
                buffer_printf(to, "\n");
        show_properties(to, &suback->properties);
}

static void show_connack(struct buffer *to, const struct connack_packet *connack,
                         enum mqtt_version version)
{
        bool v5 = version == MQTT_5;

        show_number(to, "code", v5 ? connack->reason : reason_connack_v3(connack->reason));
        show_number(to, "session", connack->session_present);
        if (v5)
                show_properties(to, &connack->properties);
}

bool show_packet(struct buffer *to, const struct packet *packet, enum mqtt_version version)
{
        char name[32];
        char *p = name;

        snprintf(name, sizeof name, "%s", packet_name(packet->type));
        for (; *p != '\0'; p++)
                *p = (char)tolower((unsigned char)*p);
        buffer_printf(to, "%s\n", name);
        if (packet->type == PACKET_CONNACK) {
                show_connack(to, &packet->connack, version);
        } else if (packet->type == PACKET_PUBLISH) {
                show_publish(to, &packet->publish);
        } else if (packet->type >= PACKET_PUBACK && packet->type <= PACKET_PUBCOMP) {
                show_number(to, "id", packet->ack.packet_id);
                show_number(to, "reason", packet->ack.reason);
                show_properties(to, &packet->ack.properties);
        } else if (packet->type == PACKET_SUBACK || packet->type == PACKET_UNSUBACK) {
                show_suback(to, &packet->suback);
        } else if (packet->type == PACKET_DISCONNECT) {
                show_number(to, "reason", packet->disconnect.reason);
                show_properties(to, &packet->disconnect.properties);
        } else if (packet->type == PACKET_AUTH) {
                show_number(to, "reason", packet->auth.reason);
                show_properties(to, &packet->auth.properties);
        }
        return true;
}

static bool is_number(const char *text, unsigned long *out)
{
        char *end;

        *out = strtoul(text, &end, 0);
        return isdigit((unsigned char)*text) && *end == '\0';
}

/* Part by part between commas: 1 is 0x01, and a reason's name is its number. */
static bool same_value(struct str key, const char *expected, struct str got)
{
        bool       reason = str_eq(key, STR("reason")) || str_eq(key, STR("code")) ||
                            str_eq(key, STR("codes"));
        struct str want = str_of(expected), a, b;

        if (str_eq(want, got))
                return true;
        while (str_cut(&want, ',', &a)) {
                char          left[256], right[256];
                unsigned long x, y;

                if (!str_cut(&got, ',', &b))
                        return false;
                snprintf(left, sizeof left, "%.*s", STR_ARGS(a));
                snprintf(right, sizeof right, "%.*s", STR_ARGS(b));
                if (!is_number(right, &y))
                        return false;
                if (!is_number(left, &x) && !reason)
                        return false;
                if (reason)
                        x = build_reason(left, REASON_UNSPECIFIED_ERROR);
                if (x != y)
                        return false;
        }
        return got.len == 0;
}

static bool word_matches(struct str shown, const char *word)
{
        const char *equals = strchr(word, '=');
        struct str  key, row;

        if (equals == NULL)
                return false;
        key = str_from(word, (size_t)(equals - word));
        for (equals++; str_cut(&shown, '\n', &row);) {
                if (!str_starts(row, key) || row.len <= key.len || row.ptr[key.len] != '=')
                        continue;
                return strcmp(equals, "?") == 0 ||
                               same_value(key, equals, str_skip(row, key.len + 1));
        }
        return strcmp(equals, "none") == 0;
}

bool show_matches(struct str shown, const struct words *expects, unsigned first)
{
        struct str rest = shown, name;

        if (first >= expects->count || !str_cut(&rest, '\n', &name) ||
            !str_eq(name, str_of(expects->word[first])))
                return false;
        for (unsigned i = first + 1; i < expects->count; i++) {
                if (!word_matches(rest, expects->word[i]))
                        return false;
        }
        return true;
}
