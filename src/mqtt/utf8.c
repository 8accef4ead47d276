/* UTF-8: words of ASCII at a stride, everything else by table 3-7 of the Unicode standard. */
#include "mqtt/utf8.h"

#include <stdint.h>

#include "mqtt/word.h"

/* What may follow a first byte: how many more, and the bounds of the second one. They keep out
 * overlong forms, surrogates and what lies beyond U+10FFFF. */
struct utf8_lead {
        uint8_t more, second_min, second_max;
};

static size_t utf8_sequence(const uint8_t *from, size_t left);

/* EF BB BF is a character like any other [MQTT3-1.5.3-3] [MQTT5-1.5.4-3]. */
bool utf8_valid(struct str text)
{
        const char *at   = text.ptr;
        size_t      left = text.len;

        while (left > 0) {
                size_t   step = left < WORD_SIZE ? left : WORD_SIZE;
                uint64_t word = step == WORD_SIZE ? word_load(at) : word_load_short(at, left);

                if (word_zeros(word))
                        return false; /* U+0000 [MQTT-1.5.4-2] [MQTT-1.5.3-2] */
                if (word_high_bits(word)) {
                        while (step > 0 && (uint8_t)*at < 0x80)
                                at++, left--, step--;
                        step = utf8_sequence((const uint8_t *)at, left);
                        if (step == 0)
                                return false; /* [MQTT-1.5.4-1] [MQTT-1.5.3-1] */
                }
                at += step;
                left -= step;
        }
        return true;
}

bool utf8_valid_payload(struct str text)
{
        const char *at   = text.ptr;
        size_t      left = text.len;

        while (left > 0) {
                size_t step = 1;

                if (left >= WORD_SIZE && !word_high_bits(word_load(at)))
                        step = WORD_SIZE;
                else if ((uint8_t)*at >= 0x80)
                        step = utf8_sequence((const uint8_t *)at, left);
                if (step == 0)
                        return false;
                at += step;
                left -= step;
        }
        return true;
}

static struct utf8_lead utf8_lead_of(uint8_t byte)
{
        if (byte < 0xc2 || byte > 0xf4)
                return (struct utf8_lead){ 0, 0, 0 }; /* a lone tail, C0, C1, F5 and up */
        if (byte < 0xe0)
                return (struct utf8_lead){ 1, 0x80, 0xbf };
        if (byte < 0xf0)
                return (struct utf8_lead){ 2, byte == 0xe0 ? 0xa0 : 0x80,
                                           byte == 0xed ? 0x9f : 0xbf };
        return (struct utf8_lead){ 3, byte == 0xf0 ? 0x90 : 0x80, byte == 0xf4 ? 0x8f : 0xbf };
}

/* The size of the sequence of two to four bytes that begins here; 0 when it is not one. */
static size_t utf8_sequence(const uint8_t *from, size_t left)
{
        struct utf8_lead lead = utf8_lead_of(from[0]);

        if (lead.more == 0 || lead.more >= left)
                return 0;
        if (from[1] < lead.second_min || from[1] > lead.second_max)
                return 0;
        for (size_t i = 2; i <= lead.more; i++) {
                if ((from[i] & 0xc0) != 0x80)
                        return 0;
        }
        return 1u + lead.more;
}
