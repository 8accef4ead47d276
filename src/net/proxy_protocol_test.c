#include "net/proxy_protocol.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "unit.h"

#define HEADER "\r\n\r\n\0\r\nQUIT\n"
#define V4     "\x0a\x01\x02\x03" "\xc0\xa8\x00\x01" "\x12\x34" "\x07\x5b"
#define V6     "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01"                                       \
               "\xfe\x80\0\0\0\0\0\0\0\0\0\0\0\0\0\x02" "\x12\x34" "\x07\x5b"

static const char *shown(const struct address *address)
{
        static char text[ADDRESS_TEXT_SIZE];

        address_text(address, text);
        return text;
}

/* In a block of its own size, so that reading behind it is found. */
static enum proxy_result parse(struct str bytes, struct proxy_header *out, const char **why)
{
        char             *copy   = mem_dup(bytes);
        enum proxy_result result = proxy_header_parse(str_from(copy, bytes.len), out, why);

        EXPECT((result == PROXY_BAD) == (*why != NULL));
        mem_free(copy);
        return result;
}

TEST(headers_say_whom_they_speak_for)
{
        static const struct row {
                struct str        bytes;
                enum proxy_speaks speaks;
                const char       *source;
                unsigned          behind;
        } rows[] = {
                { { "PROXY TCP4 10.1.2.3 192.168.0.1 4660 1883\r\n!", 44 },
                  PROXY_FOR_CLIENT, "10.1.2.3:4660", 1 },
                { { "PROXY TCP6 2001:db8::1 fe80::2 0 65535\r\n", 40 },
                  PROXY_FOR_CLIENT, "[2001:db8::1]:0", 0 },
                { { "PROXY UNKNOWN\r\n", 15 }, PROXY_FOR_UNKNOWN, "memory", 0 },
                { { "PROXY UNKNOWN ffff::1 what ever\r\n", 33 }, PROXY_FOR_UNKNOWN, "memory", 0 },
                { { HEADER "\x21\x11\0\x0c" V4 "MQTT", 32 }, PROXY_FOR_CLIENT, "10.1.2.3:4660", 4 },
                { { HEADER "\x21\x21\0\x24" V6, 52 }, PROXY_FOR_CLIENT, "[2001:db8::1]:4660", 0 },
                { { HEADER "\x20\0\0\0", 16 }, PROXY_FOR_ITSELF, "memory", 0 },
                { { HEADER "\x20\x77\0\x03" "abc", 19 }, PROXY_FOR_ITSELF, "memory", 0 },
                { { HEADER "\x21\0\0\0", 16 }, PROXY_FOR_UNKNOWN, "memory", 0 },
        };
        const struct row   *row;
        struct proxy_header header;
        const char         *why;

        EACH(rows, row) {
                size_t size = row->bytes.len - row->behind;

                for (size_t len = 0; len < size; len++)
                        EXPECT_EQ(parse(str_from(row->bytes.ptr, len), &header, &why), PROXY_MORE);
                EXPECT_EQ(parse(row->bytes, &header, &why), PROXY_DONE);
                EXPECT_EQ(header.speaks, row->speaks);
                EXPECT_EQ(header.size, size);
                EXPECT(strcmp(shown(&header.source), row->source) == 0, "%s, not %s", row->source,
                       shown(&header.source));
        }
}

TEST(what_is_no_header_is_refused)
{
        static const struct row {
                struct str bytes;
        } rows[] = {
                { STR("\x10\x0d") },
                { STR("PROXX") },
                { STR("PROXY TCP4 10.1.2.3 192.168.0.1 4660 1883\n") },
                { STR("PROXY TCP4 10.1.2.3 192.168.0.1 4660\r\n") },
                { STR("PROXY TCP4 10.1.2.3 192.168.0.1 4660 1883 5\r\n") },
                { STR("PROXY TCP4 10.1.2.3  192.168.0.1 4660 1883\r\n") },
                { STR("PROXY TCP4 10.1.2.3 192.168.0.1 4660 01883\r\n") },
                { STR("PROXY TCP4 10.1.2.3 192.168.0.1 4660 65536\r\n") },
                { STR("PROXY TCP4 10.1.2.3 192.168.0.1 -1 1883\r\n") },
                { STR("PROXY TCP4 * 192.168.0.1 1 1883\r\n") },
                { STR("PROXY TCP4 2001:db8::1 2001:db8::2 1 1883\r\n") },
                { STR("PROXY TCP6 10.1.2.3 10.1.2.4 1 1883\r\n") },
                { STR("PROXY TCP4 10.1.2.3\0 192.168.0.1 1 1883\r\n") },
                { STR("PROXY UDP4 10.1.2.3 192.168.0.1 4660 1883\r\n") },
                { STR("PROXY \r\n") },
                { STR(HEADER "\x11\x11\0\x0c" V4) },            /* version 1 in version 2 */
                { STR(HEADER "\x22\x11\0\x0c" V4) },            /* an unknown command */
                { STR(HEADER "\x21\x12\0\x0c" V4) },            /* datagrams */
                { STR(HEADER "\x21\x41\0\x0c" V4) },            /* an unknown family */
                { STR(HEADER "\x21\x11\0\x0b" V4) },            /* cut short */
                { STR(HEADER "\x21\x21\0\x0c" V4) },
                { STR(HEADER "\x21\x11\xff\xff" V4) },          /* longer than any */
                { STR(HEADER "\x21\x11\0\x0e" V4 "\x01\0") },   /* half a field */
                { STR(HEADER "\x21\x11\0\x10" V4 "\x01\0\x02x") },
                { STR(HEADER "\x21\x11\0\x14" V4 "\x01\0\x01x\x01\0\x01y") },   /* twice */
                { STR(HEADER "\x21\x11\0\x13" V4 "\x20\0\x04\x01\0\0\0") },
                { STR(HEADER "\x21\x11\0\x16" V4 "\x20\0\x07\x01\0\0\0\0\x22\0") },
        };
        const struct row   *row;
        struct proxy_header header;
        const char         *why;

        EACH(rows, row)
                EXPECT(parse(row->bytes, &header, &why) == PROXY_BAD, "%ld", (long)(row - rows));
}

TEST(a_line_has_an_end)
{
        struct proxy_header header;
        const char         *why;
        char                line[PROXY_BYTES_MAX];

        memset(line, ' ', sizeof line);
        memcpy(line, "PROXY UNKNOWN", 13);
        EXPECT_EQ(parse(str_from(line, PROXY_V1_BYTES_MAX - 1), &header, &why), PROXY_MORE);
        EXPECT_EQ(parse(str_from(line, PROXY_V1_BYTES_MAX), &header, &why), PROXY_BAD);
        EXPECT_EQ(parse(str_from(line, sizeof line), &header, &why), PROXY_BAD);
        memcpy(line + PROXY_V1_BYTES_MAX - 2, "\r\n", 2);
        EXPECT_EQ(parse(str_from(line, sizeof line), &header, &why), PROXY_DONE);
        EXPECT_EQ(header.size, PROXY_V1_BYTES_MAX);
}

TEST(fields_are_taken)
{
        static const char bytes[] = HEADER "\x21\x11\0\x4b" V4
                                    "\x01\0\x04mqtt"
                                    "\x02\0\x03" "a.b"
                                    "\x05\0\x02id"
                                    "\x04\0\x01\0"              /* a filler */
                                    "\xe0\0\x01x"               /* someone's own */
                                    "\x20\0\x22\x07\0\0\0\0" "\x21\0\x07" "TLSv1.3"
                                    "\x23\0\x05" "AES-C" "\x22\0\x08" "robot-01";
        struct proxy_header header;
        const char         *why;
        struct str          whole = str_from(bytes, sizeof bytes - 1);

        EXPECT(parse(whole, &header, &why) == PROXY_DONE, "%s", why);
        EXPECT_EQ(header.size, whole.len);
        proxy_header_parse(whole, &header, &why);       /* whose views live on */
        EXPECT(str_eq(header.alpn, STR("mqtt")));
        EXPECT(str_eq(header.authority, STR("a.b")));
        EXPECT(str_eq(header.unique_id, STR("id")));
        EXPECT(header.tls && header.verified);
        EXPECT(str_eq(header.tls_version, STR("TLSv1.3")));
        EXPECT(str_eq(header.cipher, STR("AES-C")));
        EXPECT(str_eq(header.common_name, STR("robot-01")));
}

TEST(a_certificate_counts_when_it_was_verified)
{
        static const struct row {
                char client, verify;
                bool tls, verified;
        } rows[] = {
                { 0, 0, false, false }, { 1, 0, true, false }, { 3, 0, true, true },
                { 5, 0, true, true },   { 3, 1, true, false }, { 2, 0, false, false },
        };
        char                bytes[] = HEADER "\x21\x11\0\x14" V4 "\x20\0\x05\0\0\0\0\0";
        const struct row   *row;
        struct proxy_header header;
        const char         *why;

        EACH(rows, row) {
                bytes[sizeof bytes - 6] = row->client;
                bytes[sizeof bytes - 2] = row->verify;
                EXPECT_EQ(parse(str_from(bytes, sizeof bytes - 1), &header, &why), PROXY_DONE);
                EXPECT(header.tls == row->tls && header.verified == row->verified, "%d %d",
                       row->client, row->verify);
        }
}

/* The sum was made apart, by code that knows the check value of CRC-32C, e3069283. */
TEST(a_wrong_checksum_is_refused)
{
        char bytes[] = HEADER "\x21\x11\0\x13" V4 "\x03\0\x04" "\xb0\xf7\xa8\x2e";
        struct proxy_header header;
        const char         *why;

        EXPECT(parse(str_from(bytes, sizeof bytes - 1), &header, &why) == PROXY_DONE, "%s",
               why);
        for (size_t i = 16; i < sizeof bytes - 1; i++) {
                if (i == 28)            /* the field's type: then it is no checksum */
                        continue;
                bytes[i] ^= 1;
                EXPECT(parse(str_from(bytes, sizeof bytes - 1), &header, &why) == PROXY_BAD, "%zu",
                       i);
                bytes[i] ^= 1;
        }
}

SUITE(proxy_protocol, CASE(headers_say_whom_they_speak_for), CASE(what_is_no_header_is_refused),
      CASE(a_line_has_an_end), CASE(fields_are_taken),
      CASE(a_certificate_counts_when_it_was_verified), CASE(a_wrong_checksum_is_refused))
