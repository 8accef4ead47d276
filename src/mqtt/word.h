/* Text looked at eight bytes at a time. A set bit 7 in a mask says that one of the bytes is meant;
 * which one is not asked, so the cheap forms, exact only for "any", will do. */
#ifndef LINNET_MQTT_WORD_H
#define LINNET_MQTT_WORD_H

#include <stdint.h>
#include <string.h>

#define WORD_EACH(byte) (0x0101010101010101u * (uint64_t)(byte))

enum { WORD_SIZE = 8 };

static inline uint64_t word_load(const void *from)
{
        uint64_t word;

        memcpy(&word, from, sizeof(word));
        return word;
}

/* One to seven bytes, some of them twice, so that no byte from outside gets in. */
static inline uint64_t word_load_short(const char *from, size_t len)
{
        uint32_t first, last;

        if (len < 4)
                return WORD_EACH((uint8_t)from[0]) ^
                       (uint64_t)(uint8_t)(from[0] ^ from[len / 2]) << 8 ^
                       (uint64_t)(uint8_t)(from[0] ^ from[len - 1]) << 16;
        memcpy(&first, from, sizeof(first));
        memcpy(&last, from + len - sizeof(last), sizeof(last));
        return first | (uint64_t)last << 32;
}

static inline uint64_t word_zeros(uint64_t word)
{
        return (word - WORD_EACH(1)) & ~word & WORD_EACH(0x80);
}

static inline uint64_t word_high_bits(uint64_t word)
{
        return word & WORD_EACH(0x80);
}

#endif
