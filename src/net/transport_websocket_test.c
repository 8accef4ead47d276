#include "net/transport_websocket.h"

#include <stdio.h>

#include "base/memory.h"
#include "harness/websocket.h"

/* ---- the upgrade ----------------------------------------------------------------------------- */

TEST(a_request_may_come_byte_by_byte)
{
        begin(PIPE_BYTES);
        for (size_t i = 0; i < sizeof request - 1; i++) {
                EXPECT_EQ(say(STR("early")), -EPIPE);
                put(str_from(request + i, 1));
                expect_stream(STR(""), -EAGAIN);
        }
        EXPECT(str_starts(heard(), STR("HTTP/1.1 101 ")));
        EXPECT_EQ(say(STR("x")), 1);
        expect_frame(WEBSOCKET_BINARY, STR("x"));
        finish();
}

/* [MQTT-6.0.0-2] */
TEST(request_and_frames_may_be_cut_anywhere)
{
        for (size_t at = 0;; at++) {
                struct buffer stream = { 0 };
                size_t        size;

                begin(PIPE_BYTES);
                add(STR(request));
                add_frame(FIN | WEBSOCKET_BINARY, STR("one "));
                add_frame(WEBSOCKET_BINARY, STR("tw"));
                add_frame(FIN | WEBSOCKET_PING, STR("?"));
                add_frame(WEBSOCKET_CONTINUATION, STR(""));
                add_frame(FIN | WEBSOCKET_CONTINUATION, STR("o three"));
                add_frame(FIN | WEBSOCKET_BINARY, STR(""));
                add_frame(FIN | WEBSOCKET_PONG, STR("unasked"));
                add_frame(FIN | WEBSOCKET_BINARY, STR(" four"));
                size = wire_size;
                put(str_from(wire, at));
                EXPECT_EQ(read_all(&stream), -EAGAIN);
                put(str_from(wire + at, size - at));
                EXPECT_EQ(read_all(&stream), -EAGAIN);
                EXPECT(str_eq(buffer_str(&stream), STR("one two three four")), "cut at %zu", at);
                EXPECT(str_starts(heard(), STR("HTTP/1.1 101 ")));
                EXPECT(memmem(got, sizeof got, "\x8a\x01?", 3) != NULL, "cut at %zu", at);
                buffer_deinit(&stream);
                finish();
                if (at == size)
                        return;
        }
}

TEST(a_refused_request_is_answered_and_the_rest_thrown_away)
{
        begin(PIPE_BYTES);
        put(STR("GET /admin HTTP/1.1\r\nHost: broker\r\n\r\n"));
        expect_stream(STR(""), -EPROTO);
        EXPECT(strstr(ws->why, "404") != NULL && strstr(ws->why, "/admin") != NULL, "%s", ws->why);
        put(STR("GET /mqtt HTTP/1.1\r\n\r\n"));
        expect_stream(STR(""), -EAGAIN);
        EXPECT_EQ(say(STR("x")), -EPIPE);
        ws->ops->shut(ws);
        EXPECT(str_starts(heard(), STR("HTTP/1.1 404 ")));
        EXPECT(is_over());
        peer->ops->shut(peer);
        expect_stream(STR(""), 0);
        finish();
}

TEST(who_is_too_long_or_no_http_is_refused)
{
        static const struct row {
                const char *bytes, *status, *why;
        } rows[] = {
                {"\x16\x03\x01",      "HTTP/1.1 400 ", "TLS"      },
                { "\x10\x0c\0\4MQTT", "HTTP/1.1 400 ", "MQTT"     },
                { "GET /mqtt",        "HTTP/1.1 431 ", "too large"},
        };
        const struct row *row;

        EACH(rows, row) {
                ssize_t end = -EAGAIN;

                begin(PIPE_BYTES);
                put(str_of(row->bytes));
                for (unsigned i = 0; i < UPGRADE_BYTES_MAX && end == -EAGAIN; i++) {
                        struct buffer stream = { 0 };

                        end = read_all(&stream);
                        if (end == -EAGAIN)
                                put(STR("x"));
                }
                EXPECT_EQ(end, -EPROTO);
                EXPECT(strstr(ws->why, row->why) != NULL, "%s", ws->why);
                EXPECT(str_starts(heard(), str_of(row->status)), "%.20s", got);
                finish();
        }
}

TEST(who_ends_within_the_request_is_gone)
{
        begin(PIPE_BYTES);
        put(STR("GET /mqtt HTT"));
        expect_stream(STR(""), -EAGAIN);
        ws->ops->shut(ws);
        EXPECT(is_over());
        peer->ops->shut(peer);
        expect_stream(STR(""), 0);
        finish();
}

/* ---- frames ---------------------------------------------------------------------------------- */

/* [MQTT-6.0.0-1] */
TEST(frames_that_may_not_be_end_the_connection)
{
        static const struct row {
                const char *bytes;
                size_t      size;
                unsigned    code;
        } rows[] = {
#define ROW(code, literal) { literal, sizeof literal - 1, code }
                ROW(1003, "\x81\x81\1\2\3\4a"), /* text */
                ROW(1003, "\x01\x81\1\2\3\4a"),
                ROW(1002, "\x82\x01"
                          "a"), /* not masked */
                ROW(1002, "\x89\x00"),
                ROW(1002, "\xc2\x81\1\2\3\4a"), /* reserved bits */
                ROW(1002, "\xa2\x81\1\2\3\4a"),
                ROW(1002, "\x92\x81\1\2\3\4a"),
                ROW(1002, "\x83\x81\1\2\3\4a"), /* reserved opcodes */
                ROW(1002, "\x87\x80\1\2\3\4"),
                ROW(1002, "\x8b\x80\1\2\3\4"),
                ROW(1002, "\x8f\x80\1\2\3\4"),
                ROW(1002, "\x80\x81\1\2\3\4a"),                /* continues nothing */
                ROW(1002, "\x02\x80\1\2\3\4\x82\x80\1\2\3\4"), /* within another */
                ROW(1002, "\x09\x80\1\2\3\4"),                 /* a ping in pieces */
                ROW(1002, "\x89\xfe\0\x7e\1\2\3\4"),           /* a long one */
                ROW(1002, "\x82\xfe\0\x7d\1\2\3\4a"),          /* lengths said too long */
                ROW(1002, "\x82\xff\0\0\0\0\0\0\xff\xff\1\2\3\4a"),
                ROW(1002, "\x82\xff\x80\0\0\0\0\0\0\0\1\2\3\4a"),
                ROW(1009, "\x82\xff\x7f\xff\xff\xff\xff\xff\xff\xff\1\2\3\4a"),
                ROW(1009, "\x82\xff\0\0\1\0\0\0\0\0\1\2\3\4a"),
                ROW(1002, "\x88\x81\1\2\3\4a"),        /* half a code */
                ROW(1002, "\x88\x82\0\0\0\0\x03\xed"), /* 1005: nobody says that */
                ROW(1002, "\x88\x82\0\0\0\0\x03\xe7"), /* 999 */
                ROW(1002, "\x88\x82\0\0\0\0\x13\x88"), /* 5000 */
#undef ROW
        };
        const struct row *row;

        EACH(rows, row) {
                char want[2];

                upgraded(PIPE_BYTES);
                add_frame(FIN | WEBSOCKET_BINARY, STR("before"));
                add(str_from(row->bytes, row->size));
                add_frame(FIN | WEBSOCKET_BINARY, STR("behind"));
                put_wire();
                expect_stream(STR("before"), -EPROTO);
                EXPECT(ws->why != NULL);
                EXPECT_EQ(say(STR("last")), 4); /* what waits is still written */
                expect_frame(WEBSOCKET_BINARY, STR("last"));
                ws->ops->shut(ws);
                want[0] = (char)(row->code >> 8);
                want[1] = (char)row->code;
                EXPECT(heard().len > 4 && memcmp(got + 2, want, 2) == 0, "row %zu",
                       (size_t)(row - rows));
                EXPECT(is_over());
                add_frame(FIN | WEBSOCKET_BINARY, STR("more"));
                put_wire();
                expect_stream(STR(""), -EAGAIN);
                finish();
        }
}

TEST(long_frames_come_and_go)
{
        static const size_t sizes[] = { 0, 1, 125, 126, 127, 65535, 65536, 70000 };
        const size_t       *size;

        upgraded(PIPE_BYTES);
        for (size_t i = 0; i < sizeof wire; i++)
                wire[i] = (char)(i * 7 / 5);
        EACH(sizes, size) {
                char   header[WEBSOCKET_HEADER_SIZE];
                size_t header_size = websocket_header(header, WEBSOCKET_BINARY, *size);

                if (*size > 0)
                        EXPECT_EQ(say(str_from(wire, *size)), *size);
                EXPECT_EQ(heard().len, *size > 0 ? header_size + *size : 0);
                if (*size > 0)
                        EXPECT(memcmp(got, header, header_size) == 0 &&
                               memcmp(got + header_size, wire, *size) == 0);
                header[1] = (char)(header[1] | MASKED); /* a mask of zeros changes nothing */
                memcpy(header + header_size, "\0\0\0", 4);
                put(str_from(header, header_size + 4));
                put(str_from(wire, *size));
                expect_stream(str_from(wire, *size), -EAGAIN);
        }
        finish();
}

TEST(a_flush_is_one_frame)
{
        char         bytes[] = "abcdef";
        struct iovec from[] = {
                {bytes,      1},
                { bytes + 1, 0},
                { bytes + 1, 3},
                { bytes + 4, 2}
        };

        upgraded(PIPE_BYTES);
        EXPECT_EQ(ws->ops->write(ws, from, 4), 6);
        expect_frame(WEBSOCKET_BINARY, STR("abcdef"));
        EXPECT_EQ(ws->ops->write(ws, from, 0), 0);
        EXPECT_EQ(heard().len, 0);
        finish();
}

/* Whatever the wire takes at a time, the client gets the same frames, and pongs between them. */
TEST(frames_go_out_piece_by_piece)
{
        for (size_t capacity = 1; capacity < 300; capacity++) {
                struct buffer all = { 0 };
                size_t        sent = 0;

                begin(capacity);
                put_request();
                for (unsigned turn = 0; turn < 1000 && sent < 200; turn++) {
                        ssize_t count =
                                say(str_from(data + sent, sent < 150 ? 150 - sent : 200 - sent));

                        EXPECT(count > 0 || count == -EAGAIN);
                        sent += count > 0 ? (size_t)count : 0;
                        EXPECT(buffer_append(&all, heard()));
                }
                EXPECT_EQ(sent, 200);

                struct str  answer = buffer_str(&all);
                const char *end = memmem(answer.ptr, answer.len, "\r\n\r\n", 4);

                EXPECT(end != NULL);
                answer = str_skip(answer, (size_t)(end - answer.ptr) + 4);
                EXPECT(answer.len == 4 + 150 + 2 + 50, "%zu at %zu", answer.len, capacity);
                EXPECT(memcmp(answer.ptr, "\x82\x7e\0\x96", 4) == 0);
                EXPECT(memcmp(answer.ptr + 4, data, 150) == 0);
                EXPECT(memcmp(answer.ptr + 154, "\x82\x32", 2) == 0);
                EXPECT(memcmp(answer.ptr + 156, data + 150, 50) == 0);
                buffer_deinit(&all);
                finish();
        }
}

/* ---- control frames -------------------------------------------------------------------------- */

TEST(a_ping_is_answered_and_of_several_the_last)
{
        upgraded(PIPE_BYTES);
        add_frame(FIN | WEBSOCKET_PING, STR("one"));
        put_wire();
        expect_stream(STR(""), -EAGAIN);
        expect_frame(WEBSOCKET_PONG, STR("one"));
        add_frame(FIN | WEBSOCKET_PING, STR("two"));
        add_frame(FIN | WEBSOCKET_PING, STR(""));
        put_wire();
        expect_stream(STR(""), -EAGAIN);
        expect_frame(WEBSOCKET_PONG, STR(""));
        finish();
}

TEST(a_pong_waits_for_the_end_of_the_frame)
{
        upgraded(200);
        EXPECT_EQ(say(str_from(data, 210)), 196);
        add_frame(FIN | WEBSOCKET_PING, STR("?"));
        put_wire();
        expect_stream(STR(""), -EAGAIN);
        EXPECT(!(ws->wants & POLL_WRITE)); /* it is not its turn */
        EXPECT_EQ(heard().len, 200);
        EXPECT_EQ(say(str_from(data + 196, 15)), 14);
        EXPECT(ws->wants & POLL_WRITE);
        EXPECT_EQ(heard().len, 14);
        expect_stream(STR(""), -EAGAIN); /* as the loop does when there is room */
        EXPECT_EQ(ws->wants, 0);
        expect_frame(WEBSOCKET_PONG, STR("?"));
        finish();
}

/* Or TLS would be brought other bytes than those that it has sealed in a record. */
TEST(a_frame_that_found_no_room_stays_as_it_is)
{
        upgraded(200);
        EXPECT_EQ(say(str_from(data, 196)), 196);
        EXPECT_EQ(say(STR("abc")), -EAGAIN);
        add_frame(FIN | WEBSOCKET_PING, STR("?"));
        put_wire();
        expect_stream(STR(""), -EAGAIN);
        EXPECT(!(ws->wants & POLL_WRITE)); /* its user waits for room */
        EXPECT_EQ(heard().len, 200);
        expect_stream(STR(""), -EAGAIN);
        EXPECT_EQ(heard().len, 0); /* no pong before it, and no header alone */
        EXPECT_EQ(say(STR("abcdef")), 3);
        EXPECT(ws->wants & POLL_WRITE);
        expect_frame(WEBSOCKET_BINARY, STR("abc"));
        EXPECT_EQ(say(STR("def")), 3);
        expect_heard(STR("\x8a\x01?\x82\x03"
                         "def"));
        finish();
}

TEST(an_end_before_a_frame_that_found_no_room_is_told)
{
        upgraded(200);
        EXPECT_EQ(say(str_from(data, 196)), 196);
        EXPECT_EQ(say(STR("abc")), -EAGAIN);
        ws->ops->shut(ws); /* its user has dropped the rest */
        EXPECT_EQ(ws->wants, 0);
        EXPECT_EQ(heard().len, 200);
        EXPECT(is_over());
        finish();
}

TEST(a_flood_of_pings_leaves_others_their_turn)
{
        struct transport *ends[2];
        struct buffer     stream = { 0 };

        EXPECT(memory_transport_pair(PIPE_BYTES, ends));
        peer = ends[0];
        ws = websocket_transport_new(ends[1], &rules);
        put(STR(request));
        for (unsigned i = 0; i < 20000; i++)
                add_frame(FIN | WEBSOCKET_PING, STR("flood"));
        put_wire();
        EXPECT_EQ(read_all(&stream), -EAGAIN);
        EXPECT(ws->pending);
        for (unsigned turn = 0; ws->pending; turn++) {
                EXPECT(turn < 10);
                EXPECT_EQ(read_all(&stream), -EAGAIN);
        }
        finish();
}

/* ---- the end --------------------------------------------------------------------------------- */

TEST(a_close_of_the_peer_is_answered)
{
        static const struct row {
                const char *payload;
                size_t      size;
                unsigned    code;
        } rows[] = {
                {"",              0, 1000},
                { "\x03\xe8",     2, 1000},
                { "\x03\xe9 bye", 6, 1001},
                { "\x0f\xa0",     2, 4000},
        };
        const struct row *row;

        EACH(rows, row) {
                upgraded(PIPE_BYTES);
                add_frame(FIN | WEBSOCKET_BINARY, STR("last"));
                add_frame(FIN | WEBSOCKET_CLOSE, str_from(row->payload, row->size));
                add_frame(FIN | WEBSOCKET_BINARY, STR("behind"));
                put_wire();

                char bytes[64];

                EXPECT_EQ(ws->ops->read(ws, bytes, sizeof bytes), 4);
                EXPECT(ws->pending); /* no descriptor tells of the end */
                EXPECT_EQ(ws->ops->read(ws, bytes, sizeof bytes), 0);
                EXPECT_EQ(ws->ops->read(ws, bytes, sizeof bytes), 0);
                expect_close(row->code, "");
                EXPECT_EQ(say(STR("x")), -EPIPE);
                ws->ops->shut(ws);
                EXPECT(is_over());
                finish();
        }
}

TEST(a_close_of_ours_says_why)
{
        static const struct row {
                enum farewell farewell;
                unsigned      code;
        } rows[] = {
                {FAREWELL_NORMAL,     1000},
                { FAREWELL_LEAVING,   1001},
                { FAREWELL_PROTOCOL,  1002},
                { FAREWELL_POLICY,    1008},
                { FAREWELL_TOO_LARGE, 1009},
        };
        const struct row *row;

        EACH(rows, row) {
                upgraded(PIPE_BYTES);
                ws->farewell = row->farewell;
                ws->why = "because";
                ws->ops->shut(ws);
                expect_close(row->code, "because");
                EXPECT(is_over());
                EXPECT_EQ(say(STR("x")), -EPIPE);
                add_frame(FIN | WEBSOCKET_PING, STR("?"));
                add_frame(FIN | WEBSOCKET_BINARY, STR("still"));
                add_frame(FIN | WEBSOCKET_CLOSE, STR("\x03\xe8"));
                put_wire();
                expect_stream(STR("still"), 0);
                EXPECT(is_over());
                finish();
        }
}

TEST(a_reason_is_cut_between_characters)
{
        char long_text[200], want[WEBSOCKET_CONTROL_MAX];

        for (size_t i = 0; i + 2 < sizeof long_text; i += 2)
                memcpy(long_text + i, "\xc3\xa9", 2);
        long_text[198] = 0;
        memcpy(want, long_text, 122);
        want[122] = 0;
        upgraded(PIPE_BYTES);
        ws->why = long_text;
        ws->ops->shut(ws);
        expect_close(1000, want);
        finish();
}

TEST(an_end_within_a_frame_says_nothing)
{
        upgraded(200);
        EXPECT_EQ(say(str_from(data, 210)), 196);
        ws->ops->shut(ws);
        EXPECT_EQ(heard().len, 200);
        EXPECT(is_over());
        finish();
}

TEST(a_close_waits_for_room)
{
        upgraded(200);
        EXPECT_EQ(say(str_from(data, 198)), 196);
        EXPECT_EQ(heard().len, 200);
        EXPECT_EQ(say(str_from(data + 196, 2)), 2);
        EXPECT_EQ(say(str_from(data, 192)), 192);
        ws->ops->shut(ws);
        EXPECT(ws->wants & POLL_WRITE);
        EXPECT_EQ(heard().len, 200);
        expect_stream(STR(""), -EAGAIN);
        EXPECT_EQ(ws->wants, 0);
        expect_heard(STR("\x03\xe8"));
        EXPECT(is_over());
        finish();
}

TEST(without_memory_it_fails_and_nothing_is_lost)
{
        for (int i = 0; i < 12; i++) {
                begin(PIPE_BYTES);
                add(STR(request));
                add_frame(FIN | WEBSOCKET_PING, STR("?"));
                add_frame(FIN | WEBSOCKET_BINARY, STR("x"));
                put_wire();

                char    bytes[512];
                ssize_t count;

                mem_fail_after(i);
                do
                        count = ws->ops->read(ws, bytes, sizeof bytes);
                while (count > 0);
                EXPECT(count == -ENOMEM || count == -EAGAIN, "%zd", count);
                say(STR("x"));
                ws->ops->shut(ws);
                mem_fail_after(-1);
                finish();
        }

        struct transport *ends[2];

        EXPECT(memory_transport_pair(8, ends));
        mem_fail_after(0);
        EXPECT(websocket_transport_new(ends[0], &rules) == NULL);
        mem_fail_after(-1);
        EXPECT_EQ(ends[1]->ops->read(ends[1], got, 1), 0); /* it has taken and freed it */
        ends[1]->ops->free(ends[1]);
}

SUITE(transport_websocket, CASE(a_request_may_come_byte_by_byte),
      CASE(request_and_frames_may_be_cut_anywhere),
      CASE(a_refused_request_is_answered_and_the_rest_thrown_away),
      CASE(who_is_too_long_or_no_http_is_refused), CASE(who_ends_within_the_request_is_gone),
      CASE(frames_that_may_not_be_end_the_connection), CASE(long_frames_come_and_go),
      CASE(a_flush_is_one_frame), CASE(frames_go_out_piece_by_piece),
      CASE(a_ping_is_answered_and_of_several_the_last), CASE(a_pong_waits_for_the_end_of_the_frame),
      CASE(a_frame_that_found_no_room_stays_as_it_is),
      CASE(an_end_before_a_frame_that_found_no_room_is_told),
      CASE(a_flood_of_pings_leaves_others_their_turn), CASE(a_close_of_the_peer_is_answered),
      CASE(a_close_of_ours_says_why), CASE(a_reason_is_cut_between_characters),
      CASE(an_end_within_a_frame_says_nothing), CASE(a_close_waits_for_room),
      CASE(without_memory_it_fails_and_nothing_is_lost))
