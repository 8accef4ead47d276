#include "base/hash.h"
#include "unit.h"

#include <string.h>

/* Computed with an implementation of its own in Python, which itself was held against the published
 * vectors of SipHash-2-4. The key is the bytes 00 01 .. 0f, the input 00 01 02 … */
static const struct hash_key key = { 0x0706050403020100ull, 0x0f0e0d0c0b0a0908ull };

TEST(vectors)
{
        static const struct row {
                size_t   len;
                uint64_t hash;
        } rows[] = {
                {  0, 0xabac0158050fc4dcull },
                {  1, 0xc9f49bf37d57ca93ull },
                {  2, 0x82cb9b024dc7d44dull },
                {  3, 0x8bf80ab8e7ddf7fbull },
                {  4, 0xcf75576088d38328ull },
                {  5, 0xdef9d52f49533b67ull },
                {  6, 0xc50d2b50c59f22a7ull },
                {  7, 0xd3927d989bb11140ull },
                {  8, 0x369095118d299a8eull },
                {  9, 0x25a48eb36c063de4ull },
                { 10, 0x79de85ee92ff097full },
                { 11, 0x70c118c1f94dc352ull },
                { 12, 0x78a384b157b4d9a2ull },
                { 13, 0x306f760c1229ffa7ull },
                { 14, 0x605aa111c0f95d34ull },
                { 15, 0xd320d86d2a519956ull },
                { 16, 0xcc4fdd1a7d908b66ull },
                { 17, 0x9cf2689063dbd80cull },
                { 18, 0x8ffc389cb473e63eull },
                { 19, 0xf21f9de58d297d1cull },
                { 20, 0xc0dc2f46a6cce040ull },
                { 21, 0xb992abfe2b45f844ull },
                { 22, 0x7ffe7b9ba320872eull },
                { 23, 0x525a0e7fdae6c123ull },
                { 24, 0xf464aeb267349c8cull },
                { 25, 0x45cd5928705b0979ull },
                { 31, 0x2370dd1f8c21d1bcull },
                { 32, 0x81157b6c16a7b60dull },
                { 33, 0x4d54b9e57a8ff9bfull },
                { 63, 0x9d199062b7bbb3a8ull },
                { 300, 0x4016a23bda5a2224ull },
        };
        const struct row *row;
        char              input[300];

        for (unsigned i = 0; i < sizeof input; i++)
                input[i] = (char)i;
        EACH(rows, row) {
                /* At every alignment: the words of the input are loaded as they lie. */
                for (unsigned shift = 0; shift < 8; shift++) {
                        char shifted[sizeof input + 8];

                        memcpy(shifted + shift, input, row->len);
                        EXPECT(hash_str(&key, str_from(shifted + shift, row->len)) == row->hash,
                               "%zu bytes", row->len);
                }
        }
        EXPECT_EQ(hash_str(&key, (struct str){ 0 }), 0xabac0158050fc4dcull);
}

TEST(the_key_matters)
{
        struct hash_key other = { ~key.k0, ~key.k1 };
        struct str      topic = STR("sensors/kitchen/temperature");

        EXPECT_EQ(hash_str(&other, topic), 0x9ecb21f1b2c994daull);
        other.k1 = key.k1;
        EXPECT(hash_str(&other, topic) != hash_str(&key, topic));
}

TEST(integers_are_spread_without_loss)
{
        static const struct row {
                uint64_t in, out;
        } rows[] = {
                { 0, 0 },
                { 1, 0xb456bcfc34c2cb2cull },
                { 2, 0x3abf2a20650683e7ull },
                { 0xdeadbeef, 0xd24bd59f862a1dacull },
                { UINT64_MAX, 0x64b5720b4b825f21ull },
        };
        const struct row *row;

        EACH(rows, row)
                EXPECT_EQ(hash_u64(row->in), row->out);
}

SUITE(hash, CASE(vectors), CASE(the_key_matters), CASE(integers_are_spread_without_loss))
