#include "net/origin.h"

#include "unit.h"

TEST(what_may_be_listed)
{
        static const struct row {
                const char *listed;
                bool        valid;
        } rows[] = {
                { "*", true },
                { "null", true },
                { "https://example.com", true },
                { "https://example.com:8443", true },
                { "https://*.example.com", true },
                { "http://[::1]:8080", true },
                { "app://obsidian.md", true },
                { "https://a.com, http://b.com:1", true },
                { "https://a.com,b.com", false },
                { "https://a.com,", false },
                { "", false },
                { "example.com", false },
                { "https://", false },
                { "://example.com", false },
                { "https://example.com/", false },
                { "https://*", false },
                { "https://*example.com", false },
                { "https://a.*.com", false },
                { "https://a b", false },
        };
        const struct row *row;

        EACH(rows, row)
                EXPECT(origins_valid(str_of(row->listed)) == row->valid, "%s", row->listed);
}

TEST(what_is_listed)
{
        static const struct row {
                const char *list, *origin;
                bool        in;
        } rows[] = {
                { "https://a.com", "https://a.com", true },
                { "https://a.com", "HTTPS://A.com", true },
                { "https://a.com", "http://a.com", false },
                { "https://a.com", "https://a.com:8443", false },
                { "https://a.com", "https://a.com.evil.com", false },
                { "https://a.com , https://b.com", "https://b.com", true },
                { "https://*.a.com", "https://x.a.com", true },
                { "https://*.a.com", "https://x.y.a.com", true },
                { "https://*.a.com", "https://a.com", false },
                { "https://*.a.com", "https://.a.com", false },
                { "https://*.a.com", "https://evil.com/.a.com", false },
                { "https://*.a.com", "https://evil.com:1.a.com", false },
                { "https://*.a.com", "https://xa.com", false },
                { "https://*.a.com", "http://x.a.com", false },
                { "null", "null", true },
                { "https://a.com", "null", false },
                { "*", "null", true },
                { "*", "https://evil.com", true },
                { "", "https://a.com", false },
                { ",,", "", false },
        };
        const struct row *row;

        EACH(rows, row)
                EXPECT(origin_listed(str_of(row->origin), str_of(row->list)) == row->in,
                       "%s in %s", row->origin, row->list);
}

TEST(which_page_is_of_the_host)
{
        static const struct row {
                const char *origin, *host;
                bool        is;
        } rows[] = {
                { "http://127.0.0.1:8080", "127.0.0.1:8083", true },
                { "https://192.0.2.1", "192.0.2.1", true },
                { "http://localhost:3000", "LocalHost:8083", true },
                { "http://[::1]:3000", "[::1]:8083", true },
                { "http://[::1]", "[::1]", true },
                { "http://127.0.0.1", "127.0.0.2", false },
                { "http://localhost", "127.0.0.1", false },
                { "http://[::1]", "[::2]", false },
                { "http://[::1", "[::1]", false },
                { "http://broker", "broker", false },           /* anybody may have named it so */
                { "http://localhost.evil.com", "localhost.evil.com", false },
                { "http://127.0.0.1.evil.com", "127.0.0.1.evil.com", false },
                { "null", "null", false },
                { "", "", false },
                { "http://", "", false },
        };
        const struct row *row;

        EACH(rows, row)
                EXPECT(origin_is_host(str_of(row->origin), str_of(row->host)) == row->is,
                       "%s at %s", row->origin, row->host);
}

SUITE(origin, CASE(what_may_be_listed), CASE(what_is_listed), CASE(which_page_is_of_the_host))
