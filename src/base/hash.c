/* SipHash-1-3: one round for each word of input, three at the end. */
#include "base/hash.h"

#include <endian.h>
#include <string.h>

struct sip {
        uint64_t v0, v1, v2, v3;
};

static void     sip_round(struct sip *sip);
static void     sip_word(struct sip *sip, uint64_t word);
static uint64_t word_load(const char *at);
static uint64_t word_last(struct str bytes);

uint64_t hash_str(const struct hash_key *key, struct str bytes)
{
        struct sip sip = {
                .v0 = key->k0 ^ 0x736f6d6570736575ull,  /* "somepseudorandomlygeneratedbytes" */
                .v1 = key->k1 ^ 0x646f72616e646f6dull,
                .v2 = key->k0 ^ 0x6c7967656e657261ull,
                .v3 = key->k1 ^ 0x7465646279746573ull,
        };

        for (size_t at = 0; bytes.len - at >= 8; at += 8)
                sip_word(&sip, word_load(bytes.ptr + at));
        sip_word(&sip, word_last(bytes));

        sip.v2 ^= 0xff;
        sip_round(&sip);
        sip_round(&sip);
        sip_round(&sip);
        return sip.v0 ^ sip.v1 ^ sip.v2 ^ sip.v3;
}

static inline uint64_t rotate(uint64_t x, unsigned bits)
{
        return x << bits | x >> (64 - bits);
}

static inline void sip_round(struct sip *sip)
{
        sip->v0 += sip->v1;
        sip->v1  = rotate(sip->v1, 13) ^ sip->v0;
        sip->v0  = rotate(sip->v0, 32);
        sip->v2 += sip->v3;
        sip->v3  = rotate(sip->v3, 16) ^ sip->v2;
        sip->v0 += sip->v3;
        sip->v3  = rotate(sip->v3, 21) ^ sip->v0;
        sip->v2 += sip->v1;
        sip->v1  = rotate(sip->v1, 17) ^ sip->v2;
        sip->v2  = rotate(sip->v2, 32);
}

static inline void sip_word(struct sip *sip, uint64_t word)
{
        sip->v3 ^= word;
        sip_round(sip);
        sip->v0 ^= word;
}

static inline uint64_t word_load(const char *at)
{
        uint64_t word;

        memcpy(&word, at, sizeof word);
        return le64toh(word);
}

/* The last word: the 0 to 7 bytes that are left, and the length's low byte on top. */
static uint64_t word_last(struct str bytes)
{
        unsigned left = (unsigned)(bytes.len % 8);
        uint64_t word = 0;

        if (left > 0 && bytes.len > 8)          /* one load that overlaps the word before it */
                word = word_load(bytes.ptr + bytes.len - 8) >> 8 * (8 - left);
        else
                for (unsigned i = 0; i < left; i++)
                        word |= (uint64_t)(uint8_t)bytes.ptr[i] << 8 * i;
        return word | (uint64_t)bytes.len << 56;
}
