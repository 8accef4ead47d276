#include "mqtt/utf8.h"

#include "unit.h"

struct row {
        struct str text;
        bool       valid;
};

static const struct row rows[] = {
        { STR(""), true },
        { STR("a"), true },
        { STR("plain ascii of more than two words"), true },
        { STR("\x7f"), true },
        { STR("\xc2\x80"), true },
        { STR("caf\xc3\xa9"), true },
        { STR("\xdf\xbf"), true },
        { STR("\xe0\xa0\x80"), true },
        { STR("\xe6\xb0\xb4\xe6\xb8\xa9"), true },
        { STR("\xed\x9f\xbf"), true },              /* U+D7FF */
        { STR("\xee\x80\x80"), true },              /* U+E000 */
        { STR("\xef\xbb\xbf/bom"), true },          /* [MQTT-1.5.4-3] [MQTT-1.5.3-3] */
        { STR("\xef\xbf\xbf"), true },              /* a non-character may come */
        { STR("\xf0\x90\x80\x80"), true },
        { STR("\xf4\x8f\xbf\xbf"), true },          /* U+10FFFF */
        { STR("\x01\x1f"), true },                  /* control characters may come */
        { STR("\x80"), false },                     /* a tail alone */
        { STR("\xbf\xbf"), false },
        { STR("\xc0\x80"), false },                 /* U+0000 overlong */
        { STR("\xc0\xaf"), false },                 /* "/" overlong */
        { STR("\xc1\xbf"), false },
        { STR("\xc2"), false },                     /* cut off */
        { STR("\xc2\x41"), false },
        { STR("\xc3\xc3"), false },
        { STR("\xe0\x80\x80"), false },             /* overlong */
        { STR("\xe0\x9f\xbf"), false },
        { STR("\xe1\x80"), false },
        { STR("\xe1\x80\xc0"), false },
        { STR("\xed\xa0\x80"), false },             /* U+D800: surrogates [MQTT-1.5.4-1] */
        { STR("\xed\xaf\xbf"), false },
        { STR("\xed\xb0\x80"), false },
        { STR("\xed\xbf\xbf"), false },             /* U+DFFF */
        { STR("\xf0\x80\x80\x80"), false },         /* overlong */
        { STR("\xf0\x8f\xbf\xbf"), false },
        { STR("\xf0\x90\x80"), false },
        { STR("\xf4\x90\x80\x80"), false },         /* U+110000 */
        { STR("\xf5\x80\x80\x80"), false },
        { STR("\xf8\x88\x80\x80\x80"), false },     /* five bytes */
        { STR("\xfe"), false },
        { STR("\xff"), false },
};

TEST(strings_are_valid_or_not)
{
        const struct row *row;

        EACH (rows, row) {
                EXPECT(utf8_valid(row->text) == row->valid, "row %zu", (size_t)(row - rows));
                EXPECT(utf8_valid_payload(row->text) == row->valid, "row %zu",
                       (size_t)(row - rows));
        }
}

/* The words that strings are read in begin and end anywhere. */
TEST(strings_are_the_same_at_any_place)
{
        const struct row *row;

        EACH (rows, row) {
                for (size_t before = 0; before < 20; before++) {
                        for (size_t after = 0; after < 20; after++) {
                                char text[80];

                                memset(text, 'x', sizeof(text));
                                memcpy(text + before, row->text.ptr, row->text.len);
                                struct str whole = str_from(text, before + row->text.len + after);
                                EXPECT(utf8_valid(whole) == row->valid,
                                       "row %zu, %zu before, %zu after", (size_t)(row - rows),
                                       before, after);
                                EXPECT(utf8_valid_payload(whole) == row->valid);
                        }
                }
        }
}

TEST(nul_is_for_payloads_only)
{
        for (size_t len = 1; len < 30; len++) {
                for (size_t at = 0; at < len; at++) {
                        char text[30];

                        memset(text, 'x', sizeof(text));
                        text[at] = '\0';
                        EXPECT(!utf8_valid(str_from(text, len)), "%zu of %zu", at, len);
                        EXPECT(utf8_valid_payload(str_from(text, len)));
                }
        }
}

/* The definition, the long way round: take the number apart, encode it again. */
static bool slowly_valid(const uint8_t *s, size_t len)
{
        for (size_t i = 0; i < len;) {
                unsigned more = s[i] < 0x80 ? 0 : s[i] >> 5 == 6 ? 1 : s[i] >> 4 == 14 ? 2 :
                                s[i] >> 3 == 30 ? 3 : 9;
                uint32_t code = more == 0 ? s[i] : s[i] & (0x3fu >> more);

                if (more == 9 || i + more >= len)
                        return false;
                for (unsigned k = 1; k <= more; k++) {
                        if (s[i + k] >> 6 != 2)
                                return false;
                        code = code << 6 | (s[i + k] & 0x3f);
                }
                unsigned needs = code < 0x80 ? 0 : code < 0x800 ? 1 : code < 0x10000 ? 2 : 3;
                if (needs != more || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff))
                        return false;
                i += 1 + more;
        }
        return true;
}

TEST(all_short_strings_agree_with_the_definition)
{
        for (uint32_t n = 0; n < 1u << 24; n++) {
                uint8_t s[4] = { (uint8_t)(n >> 16), (uint8_t)(n >> 8), (uint8_t)n, 0x80 };
                size_t  len  = s[0] >= 0xf0 ? 4 : 3;

                if (utf8_valid_payload(str_from(s, len)) != slowly_valid(s, len) ||
                    (s[0] && s[1] && s[2] && utf8_valid(str_from(s, len)) != slowly_valid(s, len)))
                        EXPECT(false, "%02x %02x %02x", s[0], s[1], s[2]);
        }
}

SUITE(utf8, CASE(strings_are_valid_or_not), CASE(strings_are_the_same_at_any_place),
      CASE(nul_is_for_payloads_only), CASE(all_short_strings_agree_with_the_definition))
