#include "web.h"

#include "base/memory.h"
#include "net/http_upgrade.h"
#include "net/websocket_frame.h"
#include "unit.h"

static const struct bench_options options = { .host = "::1", .port = 8083, .ws_path = "/mqtt" };

/* The answer that its request deserves, with these lines in it. */
static struct str answer_to(const struct web *web, const char *first, const char *more)
{
        static char text[1024];
        char        request[1024], proof[UPGRADE_PROOF_SIZE];
        const char *key;
        size_t      len = web_request(web, &options, request, sizeof(request));

        assert_true(len > 0);
        EXPECT(strstr(request, "GET /mqtt HTTP/1.1\r\nHost: [::1]:8083\r\n") == request);
        key = strstr(request, "Sec-WebSocket-Key: ");
        assert_non_null(key);
        assert_true(upgrade_proof(str_from(key + strlen("Sec-WebSocket-Key: "), 24), proof));
        snprintf(text, sizeof(text), "%s\r\nsec-websocket-accept:%s\r\n%s\r\n", first, proof, more);
        return str_of(text);
}

static struct web *open_web(void)
{
        struct web *web = web_new();
        struct str  answer;

        assert_non_null(web);
        answer = answer_to(web, "HTTP/1.1 101 Fine", "Sec-WebSocket-Protocol: mqtt\r\n");
        assert_int_equal(web_answer(web, &answer), WEB_OPEN);
        EXPECT(web_is_open(web) && answer.len == 0);
        return web;
}

TEST(answers)
{
        static const struct {
                const char *first, *more, *why;
        } cases[] = {
                { "HTTP/1.1 403 Forbidden", "", "the answer is 403 Forbidden" },
                { "HTTP/1.0 101 x", "", "the answer is no HTTP/1.1" },
                { "HTTP/1.1 101 x", "", "the broker does not choose the sub-protocol mqtt" },
                { "HTTP/1.1 101 x\r\nSec-WebSocket-Accept: AAAA",
                  "Sec-WebSocket-Protocol: mqtt\r\n",
                  "the answer has no proof that it is for our key" },
        };

        for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
                struct web *web   = web_new();
                struct str  whole = answer_to(web, cases[i].first, cases[i].more);
                struct str  part  = str_from(whole.ptr, whole.len - 1);

                EXPECT_EQ(web_answer(web, &part), WEB_PARTIAL);
                EXPECT_EQ(web_answer(web, &whole), WEB_REFUSED);
                EXPECT(!web_is_open(web) && strcmp(web_why(web), cases[i].why) == 0, "%s",
                       web_why(web));
                web_free(web);
        }
}

/* Gives it `bytes` in pieces of this size; what it carried, in `got`. */
static bool take(struct web *web, struct str bytes, size_t piece, char *got, size_t *got_len)
{
        *got_len = 0;
        for (size_t at = 0; at < bytes.len; at += piece) {
                size_t count = bytes.len - at < piece ? bytes.len - at : piece;

                memcpy(got + *got_len, bytes.ptr + at, count);
                if (!web_take(web, got + *got_len, &count))
                        return false;
                *got_len += count;
        }
        return true;
}

TEST(frames_cut_anywhere)
{
        static char bytes[70200], got[70200];
        struct str  all;
        size_t      len = 0, got_len;

        /* a, a ping of "x", the rest of a fragmented message, lengths of each kind, an end. */
        memcpy(bytes, "\x02\x01" "a" "\x89\x01" "x" "\x80\x01" "b" "\x82\x00", 11);
        len = 11;
        memcpy(bytes + len, "\x82\x7e\x00\xc8", 4);
        memset(bytes + len + 4, 'c', 200);
        len += 204;
        memcpy(bytes + len, "\x82\x7f\0\0\0\0\0\1\0\0", 10);
        memset(bytes + len + 10, 'd', 65536);
        len += 65546;
        memcpy(bytes + len, "\x88\x02\x03\xe8" "beyond", 10);
        all = str_from(bytes, len + 10);
        for (size_t piece = 1; piece < sizeof(bytes); piece = piece * 3 + 1) {
                struct web *web = open_web();
                char        pong[WEB_CONTROL_SIZE];

                EXPECT(take(web, all, piece, got, &got_len));
                EXPECT_EQ(got_len, 2 + 200 + 65536);
                EXPECT(memcmp(got, "abc", 3) == 0 && got[201] == 'c' && got[202] == 'd');
                EXPECT(web_is_closed(web));
                EXPECT_EQ(web_pong(web, pong).len, 2 + 4 + 2);
                EXPECT_EQ(web_pong(web, pong).len, 0);
                web_free(web);
        }
}

TEST(frames_that_may_not_be)
{
        static const struct str cases[] = {
                STR("\x81\x01" "a"),                    /* text */
                STR("\xc2\x01" "a"),                    /* a reserved bit */
                STR("\x82\x81\0\0\0\0" "a"),            /* masked */
                STR("\x80\x01" "a"),                    /* continues nothing */
                STR("\x02\x01" "a" "\x82\x01" "b"),     /* does not continue */
                STR("\x09\x01" "a"),                    /* a ping in pieces */
                STR("\x89\x7e\x00\x7e"),                /* a long one */
                STR("\x82\x7f\x80\0\0\0\0\0\0\0"),      /* 2^63 bytes */
                STR("\x83\x00"),
        };

        for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
                struct web *web = open_web();
                char        got[64];
                size_t      len;

                EXPECT(!take(web, cases[i], 1, got, &len), "case %zu", i);
                web_free(web);
        }
}

/* What a server reads of it. */
TEST(frames_out)
{
        static const size_t sizes[] = { 0, 1, 7, 8, 125, 126, 65535, 65536 };
        static char         bytes[WEB_ROOM + 65536], got[65536];

        for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
                struct web              *web    = open_web();
                struct websocket_reader *reader = websocket_reader_new();
                struct websocket_part    part   = { .ends = false };
                struct str               frame;
                size_t                   len = 0;

                for (size_t at = 0; at < sizes[i]; at++)
                        bytes[WEB_ROOM + at] = (char)(at * 7);
                frame = web_frame(web, bytes, WEB_ROOM + sizes[i]);
                EXPECT_EQ(frame.len > 0, sizes[i] > 0);
                while (frame.len > 0 && websocket_read(reader, &frame, &part) == WEBSOCKET_PART) {
                        EXPECT(part.masked && part.final && part.opcode == WEBSOCKET_BINARY);
                        EXPECT_EQ(part.size, sizes[i]);
                        memcpy(got + len, part.bytes.ptr, part.bytes.len);
                        len += part.bytes.len;
                }
                EXPECT_EQ(len, sizes[i]);
                EXPECT_EQ(part.ends, sizes[i] > 0);
                for (size_t at = 0; at < len; at++)
                        assert_int_equal(got[at], (char)(at * 7));
                websocket_reader_free(reader);
                web_free(web);
        }
}

SUITE(web, CASE(answers), CASE(frames_cut_anywhere), CASE(frames_that_may_not_be),
      CASE(frames_out))
