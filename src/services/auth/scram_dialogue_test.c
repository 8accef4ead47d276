#include "services/auth/scram_dialogue.h"

#include "unit.h"

/* The user of RFC 7677, section 3, whose password is "pencil". */
static const char kept[] =
        "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:"
        "wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=";

#define OURS   "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
#define NONCE  "rOprNGfwEbeRWgbNEkqO" OURS
#define PROOF  "p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="

static struct scram_secret secret_of(const char *text)
{
        struct scram_secret secret;

        EXPECT(scram_secret_parse(str_of(text), &secret) == NULL, "%s", text);
        return secret;
}

static struct scram_dialogue begin(const struct scram_secret *secret)
{
        struct scram_dialogue dialogue = { .auth_mac = { 0 } };
        struct str            said;

        EXPECT(scram_hear_first(&dialogue, STR("n,,n=user,r=rOprNGfwEbeRWgbNEkqO")) == NULL);
        EXPECT(str_eq(buffer_str(&dialogue.user), STR("user")));
        said = scram_say_first(&dialogue, secret, STR(OURS));
        EXPECT(str_eq(said, STR("r=" NONCE ",s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096")), "%.*s",
               STR_ARGS(said));
        return dialogue;
}

TEST(as_in_rfc_7677)
{
        struct scram_secret   secret   = secret_of(kept);
        struct scram_dialogue dialogue = begin(&secret);

        EXPECT(scram_hear_last(&dialogue, &secret, STR("c=biws,r=" NONCE "," PROOF)) == NULL);
        EXPECT(str_eq(scram_say_last(&dialogue),
                      STR("v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=")));
        scram_dialogue_deinit(&dialogue);
}

TEST(first_messages)
{
        static const struct row {
                const char *message, *wrong, *user;
        } rows[] = {
                { "y,,n=user,r=abc", NULL, "user" },
                { "n,,n=a=2Cb=3Dc,r=abc", NULL, "a,b=c" },
                { "n,,n=user,r=abc,ext=1", NULL, "user" },
                { "", "its first message is not SCRAM's", "" },
                { "n,,", "its first message is not SCRAM's", "" },
                { "n,,n=user", "its first message is not SCRAM's", "" },
                { "n,,n=user,r=", "its first message is not SCRAM's", "" },
                { "n,,n=user,r=a\tb", "its first message is not SCRAM's", "" },
                { "n,,n=,r=abc", "its first message is not SCRAM's", "" },
                { "n,,n=us=er,r=abc", "its first message is not SCRAM's", "" },
                { "n,,n=us=2cer,r=abc", "its first message is not SCRAM's", "" },
                { "n,,r=abc,n=user", "its first message is not SCRAM's", "" },
                { "x,,n=user,r=abc", "its first message is not SCRAM's", "" },
                { "n,,m=ext,n=user,r=abc", "it demands an extension that is not known", "" },
                { "n,a=admin,n=user,r=abc", "it wants to act for another user", "" },
                { "p=tls-unique,,n=user,r=abc",
                  "it demands channel binding, which is not offered", "" },
        };
        const struct row *row;

        EACH(rows, row)
        {
                struct scram_dialogue dialogue = { .auth_mac = { 0 } };
                const char           *wrong = scram_hear_first(&dialogue, str_of(row->message));

                EXPECT(str_eq(str_of(wrong), str_of(row->wrong)), "%s: %s", row->message, wrong);
                EXPECT(wrong != NULL || str_eq(buffer_str(&dialogue.user), str_of(row->user)));
                scram_dialogue_deinit(&dialogue);
        }
}

TEST(last_messages)
{
        static const struct row {
                const char *message, *wrong;
        } rows[] = {
                { "", "its last message is not SCRAM's" },
                { "c=biws", "its last message is not SCRAM's" },
                { "c=biws,r=" NONCE, "its last message is not SCRAM's" },
                { "c=biws,r=" NONCE ",", "its last message is not SCRAM's" },
                { "c=biws,r=" NONCE ",p=", "its last message is not SCRAM's" },
                { "c=biws,r=" NONCE ",p=AAAA", "its last message is not SCRAM's" },
                { "c=biws,r=" NONCE "," PROOF ",x=1", "its last message is not SCRAM's" },
                { "c=eSws,r=" NONCE "," PROOF,
                  "its channel binding does not match what it said first" },
                { "c=biws,r=rOprNGfwEbeRWgbNEkqO," PROOF,
                  "its nonce is not that of this exchange" },
                { "c=biws,r=" NONCE ",ext=1," PROOF, "wrong password" },
                { "c=biws,r=" NONCE ",p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVU=",
                  "wrong password" },
        };
        const struct row *row;

        EACH(rows, row)
        {
                struct scram_secret   secret   = secret_of(kept);
                struct scram_dialogue dialogue = begin(&secret);
                const char           *wrong;

                wrong = scram_hear_last(&dialogue, &secret, str_of(row->message));
                EXPECT(str_eq(str_of(wrong), str_of(row->wrong)), "%s: %s", row->message,
                       wrong != NULL ? wrong : "taken");
                scram_dialogue_deinit(&dialogue);
        }
}

#define KEY "WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY="

TEST(kept_ones)
{
        static const struct row {
                const char *text, *wrong;
        } rows[] = {
                { "SCRAM-SHA-256$4096:AAAA$" KEY ":" KEY, NULL },
                { "SCRAM-SHA-1$4096:AAAA$" KEY ":" KEY, "it does not begin with SCRAM-SHA-256$" },
                { "SCRAM-SHA-256$4096:AAAA$" KEY,
                  "it is not SCRAM-SHA-256$ROUNDS:SALT$STORED_KEY:SERVER_KEY" },
                { "SCRAM-SHA-256$4095:AAAA$" KEY ":" KEY,
                  "its rounds are no number from 4096 to 10000000" },
                { "SCRAM-SHA-256$10000001:AAAA$" KEY ":" KEY,
                  "its rounds are no number from 4096 to 10000000" },
                { "SCRAM-SHA-256$4294971392:AAAA$" KEY ":" KEY,
                  "its rounds are no number from 4096 to 10000000" },
                { "SCRAM-SHA-256$4096:$" KEY ":" KEY, "its salt is no base64 of 1 to 64 bytes" },
                { "SCRAM-SHA-256$4096:AAAA$AAAA:" KEY, "its keys are not base64 of 32 bytes each" },
                { "SCRAM-SHA-256$4096:AAAA$" KEY ":AAAA",
                  "its keys are not base64 of 32 bytes each" },
        };
        const struct row   *row;
        char                text[SCRAM_TEXT_SIZE];
        struct scram_secret secret;

        EACH(rows, row)
        {
                const char *wrong = scram_secret_parse(str_of(row->text), &secret);

                EXPECT(str_eq(str_of(wrong), str_of(row->wrong)), "%s: %s", row->text, wrong);
        }
        EXPECT(scram_secret_make(STR("pencil"), text));
        EXPECT_EQ(secret_of(text).rounds, SCRAM_ROUNDS);
}

SUITE(scram_dialogue, CASE(as_in_rfc_7677), CASE(first_messages), CASE(last_messages),
      CASE(kept_ones))
