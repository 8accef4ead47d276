#include "services/auth/secret.h"

#include "unit.h"

/* By mosquitto_passwd 2.0.11, by Python's hashlib, and from the Argon2 reference implementation. */
TEST(others_have_written)
{
        static const struct row {
                const char *text, *password;
                bool        slow;
        } rows[] = {
                { "$7$101$plC9wkOVmeyHg/IW$kHk8pkp4Jwf//ym+vIuP6dzG5lZ9Ml3UtfdIBR7Kkt4+V6a9XRtpB/"
                  "IVUH3I0FvH+fS2JywnCG4Dz/Pr1CX/Zg==", "correct horse", true },
                { "$6$jev74Hy55ofo60D7$6FRz5h/P0nnhKmlRbhHRneY73TjtYzlIHtEI++toKgkCs4HRbFWz8lneod"
                  "jNjv5"
                  "UklcuxGEMAx1/eN3+mBkrIA==", "builder", false },
                { "$6$AAECAwQFBgcICQoL$JqsxEv/ucyxjA5DKsQ+Y8CDWaQDNQI9FpAkmfwAqWfwZLk/JEGgM0Epylr"
                  "JHAZK"
                  "KyFQjJeZ3nFaHjPzOzPPmPw==", "secret", false },
                { "$7$101$AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8gISIjJCUmJygpKissLS4vMDEyMzQ"
                  "1Njc4"
                  "OTo7PD0+Pw==$nC5lZh4zXXL9YYwSBLXeQ4x6eVDLDThAXrkOTqlGFer3YWn3xud0lGeA18sh8JUkS"
                  "vje98"
                  "xCmwzQO8iSZd89Pw==", "secret", true },
                { "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bM"
                  "CHGi/4",
                  "password", true },
                { "$argon2id$v=19$m=256,t=2,p=2$c29tZXNhbHQ$bQk8UB/VmZZF4Oo79iDXuL5/0ttZwg2f/5U52"
                  "iv1cDc",
                  "password", true },
                { "open sesame", "open sesame", false },
                { "$5$not$ours", "$5$not$ours", false },
        };
        const struct row *row;

        EACH(rows, row)
        {
                struct secret secret;

                EXPECT(secret_parse(str_of(row->text), &secret) == NULL, "%s", row->text);
                EXPECT(secret_is_slow(&secret) == row->slow, "%s", row->text);
                EXPECT(secret_check(&secret, str_of(row->password)) == SECRET_RIGHT, "%s",
                       row->text);
                EXPECT(secret_check(&secret, STR("Secret")) == SECRET_WRONG, "%s", row->text);
                EXPECT(secret_check(&secret, (struct str){ 0 }) == SECRET_WRONG, "%s", row->text);
        }
}

TEST(what_is_written_is_read)
{
        static const enum secret_kind kinds[] = { SECRET_ARGON2ID, SECRET_PBKDF2, SECRET_SHA512 };
        const enum secret_kind       *kind;

        EACH(kinds, kind)
        {
                char          text[SECRET_TEXT_SIZE], again[SECRET_TEXT_SIZE];
                struct secret secret;

                EXPECT(secret_make(*kind, STR("a b:c$"), text));
                EXPECT(secret_make(*kind, STR("a b:c$"), again));
                EXPECT(strcmp(text, again) != 0);       /* a salt each */
                EXPECT(secret_parse(str_of(text), &secret) == NULL, "%s", text);
                EXPECT_EQ(secret.kind, *kind);
                EXPECT_EQ(secret_check(&secret, STR("a b:c$")), SECRET_RIGHT);
                EXPECT_EQ(secret_check(&secret, STR("a b:c")), SECRET_WRONG);
        }
}

#define SALT "c29tZXNhbHQ"
#define HASH "nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4"

TEST(bad_ones_are_told)
{
        static const struct row {
                const char *text, *wrong;
        } rows[] = {
                { "", "it is empty, or longer than 255 bytes" },
                { "$6$", "it is cut short" },
                { "$6$" SALT, "it is cut short" },
                { "$6$" SALT "$" HASH, "its hash has not 64 bytes" },
                { "$6$!$" HASH, "its salt is no base64 of 1 to 64 bytes" },
                { "$6$$" HASH, "its salt is no base64 of 1 to 64 bytes" },
                { "$7$0$" SALT "$" HASH, "its rounds are no number from 1 to 10000000" },
                { "$7$-1$" SALT "$" HASH, "its rounds are no number from 1 to 10000000" },
                { "$7$10000001$" SALT "$" HASH, "its rounds are no number from 1 to 10000000" },
                { "$7$99999999999$" SALT "$" HASH, "its rounds are no number from 1 to 10000000" },
                { "$7$100$" SALT "$", "its hash is no base64 of 16 to 64 bytes" },
                { "$7$100$" SALT "$AAAA", "its hash is no base64 of 16 to 64 bytes" },
                { "$argon2id$v=16$m=256,t=2,p=1$" SALT "$" HASH, "its version is not v=19" },
                { "$argon2id$v=19$m=256,t=2$" SALT "$" HASH,
                  "its parameters are not m=N,t=N,p=N" },
                { "$argon2id$v=19$t=2,m=256,p=1$" SALT "$" HASH,
                  "its parameters are not m=N,t=N,p=N" },
                { "$argon2id$v=19$m=4294967295,t=2,p=1$" SALT "$" HASH,
                  "its parameters are beyond m=262144, t=64, p=16, or m is less than 8 p" },
                { "$argon2id$v=19$m=8,t=2,p=2$" SALT "$" HASH,
                  "its parameters are beyond m=262144, t=64, p=16, or m is less than 8 p" },
                { "$argon2id$v=19$m=256,t=2,p=1$AAAA$" HASH, "its salt has less than 8 bytes" },
                { "$argon2id$v=19$m=256,t=2,p=1$" SALT "$" HASH "$",
                  "its hash is no base64 of 16 to 64 bytes" },
        };
        const struct row *row;

        EACH(rows, row)
        {
                struct secret secret;
                const char   *wrong = secret_parse(str_of(row->text), &secret);

                EXPECT(wrong != NULL && strcmp(wrong, row->wrong) == 0, "%s: %s", row->text,
                       wrong != NULL ? wrong : "taken");
        }
}

SUITE(secret, CASE(others_have_written), CASE(what_is_written_is_read), CASE(bad_ones_are_told))
