#include "broker/option.h"

#include <stdlib.h>
#include <string.h>

#include "broker/config.h"
#include "unit.h"

TEST(values_are_read_with_their_units)
{
        static const struct row {
                const char *key, *value, *shown;
        } rows[] = {
                { "mqtt.max_packet_size",              "64KB",        "64KB"        },
                { "mqtt.max_packet_size",              "1mb",         "1MB"         },
                { "mqtt.max_packet_size",              "100",         "100B"        },
                { "mqtt.max_packet_size",              "1025",        "1025B"       },
                { "mqtt.mqueue.max_bytes",             "8GB",         "8GB"         },
                { "mqtt.mqueue.max_bytes",             "0",           "0"           },
                { "mqtt.client.idle_timeout",          "500ms",       "500ms"       },
                { "mqtt.client.idle_timeout",          "1m30s",       "90s"         },
                { "mqtt.session.expiry_interval",      "2h",          "2h"          },
                { "mqtt.session.expiry_interval",      "1d",          "1d"          },
                { "mqtt.session.expiry_interval",      "2w",          "2w"          },
                { "mqtt.session.expiry_interval",      "0",           "0"           },
                { "mqtt.session.max_expiry_interval",  "4294967295s", "4294967295s" },
                { "mqtt.mqueue.low_watermark",         "35%",         "35%"         },
                { "mqtt.mqueue.low_watermark",         "0%",          "0%"          },
                { "mqtt.retain_available",             "false",       "off"         },
                { "mqtt.retain_available",             "true",        "on"          },
                { "mqtt.mqueue.drop",                  "qos0_first",  "qos0_first"  },
                { "mqtt.shared.strategy",              "hash_topic",  "hash_topic"  },
                { "limits.max_conn_rate",              "0",           "0"           },
                { "limits.max_conn_rate",              "50",          "50,50"       },
                { "limits.max_conn_rate",              "500,50",      "500,50"      },
                { "mqtt.client.bytes_in_rate",         "100KB,10KB",  "100KB,10KB"  },
                { "mqtt.client.bytes_in_rate",         "2MB,1000",    "2MB,1000B"   },
                { "node.name",                         "a@b",         "\"a@b\""     },
        };
        const struct row *row;
        struct config     config;
        char              why[OPTION_WHY_SIZE] = "", shown[OPTION_VALUE_SIZE];

        EACH (rows, row) {
                const struct option *option = option_find(str_of(row->key));

                config_init(&config);
                EXPECT(option != NULL, "%s", row->key);
                EXPECT(option_parse(option, str_of(row->value), &config, why), "%s: %s", row->key,
                       why);
                option_format(option, &config, shown);
                EXPECT(strcmp(shown, row->shown) == 0, "%s, not %s", row->shown, shown);
        }
}

TEST(wrong_values_are_told)
{
        static const struct row {
                const char *key, *value, *why;
        } rows[] = {
                { "mqtt.max_qos", "3", "3 is not from 0 to 2" },
                { "mqtt.max_qos", "", "\"\" is not a number" },
                { "mqtt.max_qos", "-1", "\"-1\" is not a number" },
                { "mqtt.max_qos", "1x", "\"1x\" is not a number" },
                { "mqtt.max_qos", "99999999999999999999",
                  "\"99999999999999999999\" is not a number" },
                { "mqtt.max_packet_size", "63", "63 is not from 64B to 268435455B" },
                { "mqtt.max_packet_size", "1TB",
                  "\"1TB\" is not a size, such as 4096, 64KB or 1MB" },
                { "mqtt.client.idle_timeout", "30",
                  "\"30\" is not a duration, such as 500ms, 30s or 2h" },
                { "mqtt.client.idle_timeout", "2h", "2h is not from 100ms to 1h" },
                { "mqtt.session.expiry_interval", "1500ms",
                  "1500ms is not a whole number of seconds" },
                { "mqtt.session.expiry_interval", "9999999999999999w",
                  "\"9999999999999999w\" is not a duration, such as 30s, 2h or 1d" },
                { "mqtt.mqueue.low_watermark", "20",
                  "\"20\" is not a percentage, such as 20%" },
                { "mqtt.retain_available", "yes", "\"yes\" is not on or off" },
                { "mqtt.mqueue.drop", "all", "\"all\" is not one of oldest, newest, qos0_first" },
                { "limits.max_conn_rate", "10KB",
                  "\"10KB\" is not RATE or BURST,RATE a second, such as 100 or 500,100" },
                { "limits.max_conn_rate", "0,10",
                  "\"0,10\" is not RATE or BURST,RATE a second, such as 100 or 500,100" },
                { "limits.max_conn_rate", "5,",
                  "\"5,\" is not RATE or BURST,RATE a second, such as 100 or 500,100" },
                { "mqtt.client.bytes_in_rate", "8GB",
                  "\"8GB\" is not RATE or BURST,RATE a second, such as 10KB or 100KB,10KB" },
                { "node.name", "", "it must not be empty" },
        };
        const struct row *row;
        struct config     config, before;
        char              why[OPTION_WHY_SIZE];

        config_init(&before);
        config = before;
        EACH (rows, row) {
                const struct option *option = option_find(str_of(row->key));

                EXPECT(!option_parse(option, str_of(row->value), &config, why), "%s = %s", row->key,
                       row->value);
                EXPECT(strcmp(why, row->why) == 0, "%s, not %s", row->why, why);
                EXPECT(option_same(option, &before, &config), "%s", row->key);
        }
}

TEST(texts_have_room_for_their_end)
{
        const struct option *option = option_find(STR("node.name"));
        struct config        config;
        char                 text[129], why[OPTION_WHY_SIZE];

        config_init(&config);
        memset(text, 'n', sizeof(text));
        EXPECT(!option_parse(option, str_from(text, 128), &config, why));
        EXPECT(strcmp(why, "a text of 128 bytes, at most 127") == 0, "%s", why);
        EXPECT(option_parse(option, str_from(text, 127), &config, why));
        EXPECT_EQ(strlen(config.node_name), 127);
}

TEST(a_wrong_key_has_a_nearest)
{
        static const struct row {
                const char *key, *nearest;
        } rows[] = {
                { "mqtt.max_qoss",               "mqtt.max_qos"              },
                { "mqtt.session.maxinflight",    "mqtt.session.max_inflight" },
                { "log.lvel",                    "log.level"                 },
                { "zzz",                         NULL                        },
                { "",                            NULL                        },
        };
        const struct row *row;

        EACH (rows, row) {
                const char *nearest = option_nearest(str_of(row->key));

                EXPECT((nearest == NULL) == (row->nearest == NULL), "%s: %s", row->key,
                       nearest ? nearest : "none");
                EXPECT(nearest == NULL || strcmp(nearest, row->nearest) == 0, "%s: %s", row->key,
                       nearest);
        }
}

/* Keys are there once, every default can be written down, and lies within its own bounds. */
static bool is_text(const struct option *option)
{
        return option->kind == OPTION_TEXT || option->kind == OPTION_SECRET;
}

/* What it shows is what it takes. */
static void expect_sound(const struct option *option, const void *from, void *to)
{
        char       value[OPTION_VALUE_SIZE], why[OPTION_WHY_SIZE];
        struct str text;

        EXPECT(option->size == sizeof(bool) || option->size == sizeof(uint32_t) ||
                       option->size == sizeof(uint64_t) || is_text(option),
               "%s", option->key);
        option_format(option, from, value);
        text = str_of(value);
        if (is_text(option))
                text = str_from(value + 1, text.len - 2);
        EXPECT(option_parse(option, text, to, why), "%s: %s", option->key, why);
        EXPECT(option_same(option, from, to), "%s", option->key);
}

TEST(the_tables_are_sound)
{
        struct config config, again;

        config_init(&config);
        memset(&again, 0, sizeof(again));
        for (size_t i = 0; i < option_count; i++) {
                const struct option *option = &option_rows[i];

                if (option->kind == OPTION_SECTION)
                        continue;
                EXPECT(option_find(str_of(option->key)) == option, "%s", option->key);
                expect_sound(option, &config, &again);
        }
        EXPECT(memcmp(&config.settings, &again.settings, sizeof(config.settings)) == 0);
        for (size_t i = 0; i < listener_option_count; i++) {
                const struct listener_option *row = &listener_options[i];

                EXPECT(row->types != 0);
                if (row->option.kind != OPTION_SECTION)
                        expect_sound(&row->option, &config.listeners[0], &again.listeners[0]);
        }
}

TEST(a_secret_is_not_shown)
{
        const struct option *option = option_find(STR("auth.jwt.secret"));
        struct config        config, other;
        char                 value[OPTION_VALUE_SIZE];

        config_init(&config);
        config_init(&other);
        option_format(option, &config, value);
        EXPECT(strcmp(value, "\"\"") == 0);
        EXPECT(option_parse(option, STR("hush"), &config, value));
        EXPECT(!option_same(option, &config, &other));
        option_format(option, &config, value);
        EXPECT(strstr(value, "hush") == NULL);
}

/* All bytes of the settings belong to an option, but for padding, which is less than the field that
 * it aligns: a new field needs a row. */
TEST(every_setting_has_a_key)
{
        static size_t align[sizeof(struct settings) + 1];       /* of the field that owns a byte */
        size_t        gap = 0;

        for (size_t i = 0; i < option_count; i++) {
                const struct option *option = &option_rows[i];

                if (option->kind == OPTION_SECTION || option->offset >= sizeof(struct settings))
                        continue;

                size_t own = is_text(option) ? 1 : option->size;

                for (size_t at = 0; at < option->size; at++)
                        align[option->offset + at] = own;
        }
        align[sizeof(struct settings)] = _Alignof(struct settings);
        for (size_t at = 0; at <= sizeof(struct settings); at++) {
                EXPECT(align[at] == 0 || gap < align[at], "%zu bytes before %zu", gap, at);
                gap = align[at] == 0 ? gap + 1 : 0;
        }
}

TEST(help_and_reference_name_every_key)
{
        char  *text = NULL;
        size_t size = 0;

        for (int page = 0; page < 2; page++) {
                FILE *out = open_memstream(&text, &size);

                (page == 0 ? options_help : options_reference)(out);
                fclose(out);
                for (size_t i = 0; i < option_count; i++) {
                        if (option_rows[i].key != NULL)
                                EXPECT(strstr(text, option_rows[i].key) != NULL, "%s",
                                       option_rows[i].key);
                }
                EXPECT(strstr(text, "listener.<type>.<name>.backlog") != NULL);
                free(text);
        }
}

SUITE(option, CASE(values_are_read_with_their_units), CASE(wrong_values_are_told),
      CASE(texts_have_room_for_their_end), CASE(a_wrong_key_has_a_nearest),
      CASE(the_tables_are_sound), CASE(a_secret_is_not_shown),
      CASE(every_setting_has_a_key),
      CASE(help_and_reference_name_every_key))
