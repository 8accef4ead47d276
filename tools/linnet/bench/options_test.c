#include "options.h"

#include "names.h"
#include "unit.h"

/* Words with a space between them. */
static bool parse(struct bench_options *to, const char *line)
{
        static char text[512];
        char       *argv[64];
        int         argc = 0;

        snprintf(text, sizeof(text), "%s", line);
        for (char *at = text; *at != '\0';) {
                argv[argc++] = at;
                at += strcspn(at, " ");
                if (*at == ' ')
                        *at++ = '\0';
        }
        return bench_options_parse(to, argc, argv);
}

TEST(words_people_know)
{
        struct bench_options o;

        assert_true(parse(&o,
                          "pair -h ::1 -p 1884 -V 5 -q 1 -c 20 -R 50 -r 1000.5 -s 256 -t a/%i/%c "
                          "-d 2.5 --warmup 1 -u me -P secret -C false -x 60 -k 10 --threads=2"));
        EXPECT_EQ(o.mode, BENCH_PAIR);
        EXPECT(strcmp(o.host, "::1") == 0, "%s", o.host);
        EXPECT_EQ(o.port, 1884);
        EXPECT_EQ(o.version, MQTT_5);
        EXPECT_EQ(o.publishers, 20);
        EXPECT_EQ(o.subscribers, 20);
        EXPECT(o.rate == 1000.5 && o.connect_rate == 50 && o.duration_s == 2.5);
        EXPECT_EQ(o.size, 256);
        EXPECT(o.keep_session && o.has_expiry);
        EXPECT_EQ(o.expiry_s, 60);
        EXPECT_EQ(o.threads, 2);
        EXPECT_EQ(o.window, 1024);
        EXPECT_EQ(o.burst, 1);
}

TEST(a_count_is_of_what_there_are_many)
{
        struct bench_options o;

        EXPECT(parse(&o, "fanout -c 7"));
        EXPECT(o.publishers == 1 && o.subscribers == 7 && o.window > 0 && o.duration_s == 10);
        EXPECT(parse(&o, "fanin -c 7 --subscribers 2 -n 100"));
        EXPECT(o.publishers == 7 && o.subscribers == 2 && o.duration_s == 0);
        EXPECT(parse(&o, "conn -c 7"));
        EXPECT(o.publishers == 7 && o.subscribers == 0 && o.duration_s == 0);
        EXPECT(parse(&o, "shared -c 1000 --subscribers 2"));
        EXPECT(o.publishers == 1000 && o.subscribers == 2 && o.window == 2 && o.burst == 2);
        EXPECT(parse(&o, "fanin -c 2000"));
        EXPECT(o.window == 1 && o.burst == 1);
        EXPECT(parse(&o, "offline -c 3"));
        EXPECT(o.publishers == 10 && o.subscribers == 3 && o.qos == 1 && o.messages == 1000);
        EXPECT(parse(&o, "retain -q 0"));
        EXPECT(o.retain && o.qos == 0 && o.messages == 10000);
        EXPECT(parse(&o, "conn --cafile a.pem"));
        EXPECT(o.tls && o.port == 8883);
        EXPECT(parse(&o, "conn --ws") && o.ws && o.port == 8083);
        EXPECT(parse(&o, "conn --ws-path /a?b=c --tls") && o.ws && o.port == 8084);
        EXPECT(!parse(&o, "conn --ws-path mqtt") && !parse(&o, "conn --ws-path /a\r\nb"));
        EXPECT(parse(&o, "sub"));
        EXPECT(o.publishers == 0 && o.subscribers == 10);
}

TEST(what_is_refused)
{
        static const char *const lines[] = {
                "",
                "-c 3",
                "pears",
                "pair -c",
                "pair -c 0",
                "pair -c 1.5",
                "pair -c x",
                "pair -s 15",
                "pair -q 3",
                "pair -r -5",
                "pair -V 6",
                "pair -t a/#",
                "sub --filter a/#/b",
                "pair --unheard-of",
                "pair --retain=1",
                "pair --publishers 2 --subscribers 3",
                "pub --subscribers 3",
                "sub --publishers 3",
                "pair -w 4 -b 8",
                "pair -n 10 --warmup 1",
                "pair -P secret",
                "--scenario p2p-2K",
                "offline -q 0",
                "offline -d 3",
                "retain -t a/b",
                "shared --group a/b",
                "pair --scenario p2p-1K-1K-1K-1K",
        };

        for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
                struct bench_options o;

                if (parse(&o, lines[i]))
                        fail_msg("accepted: %s", lines[i]);
        }
}

TEST(scenarios_scale_and_change)
{
        struct bench_options o;

        EXPECT(parse(&o, "--scenario p2p-1K-1K-1K-1K"));
        EXPECT(o.mode == BENCH_PAIR && o.publishers == 1000 && o.subscribers == 1000);
        EXPECT(o.rate == 1000 && o.size == 16 && o.qos == 1);
        EXPECT(parse(&o, "--scale=0.01 --scenario FANOUT-5-1000-5-250K -q 0"));
        EXPECT(o.mode == BENCH_FANOUT && o.publishers == 1 && o.subscribers == 10);
        EXPECT(o.rate == 2.5 && o.qos == 0);
        EXPECT(parse(&o, "--scenario conn-tcp-10k-100 --scale 0.5"));
        EXPECT(o.mode == BENCH_CONN && o.publishers == 5000 && o.connect_rate == 100);
}

TEST(names)
{
        char text[64];

        EXPECT_EQ(name_expand(text, sizeof(text), "a/%i/%c/100%%", 42, "me"), 12);
        EXPECT(strcmp(text, "a/42/me/100%") == 0, "%s", text);
        EXPECT_EQ(name_expand(text, 4, "abcdef%i", 1, ""), 7);
        EXPECT(strcmp(text, "abc") == 0, "%s", text);
        name_filter(text, "a/%i/b-%c/100%%/%%i");
        EXPECT(strcmp(text, "a/+/+/100%/%i") == 0, "%s", text);
        name_filter(text, "/%i/");
        EXPECT(strcmp(text, "/+/") == 0, "%s", text);
}

SUITE(options, CASE(words_people_know), CASE(a_count_is_of_what_there_are_many),
      CASE(what_is_refused), CASE(scenarios_scale_and_change), CASE(names))
