#include "net/tls_context.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "harness/certificates.h"
#include "net/tls_identity.h"
#include "net/tls_psk.h"
#include "net/tls_ticket.h"
#include "unit.h"

static struct certificates folder;
static struct issued       mine, other;
static char                good[CERTIFICATES_PATH], key[CERTIFICATES_PATH];
static char                wrong_key[CERTIFICATES_PATH], locked[CERTIFICATES_PATH];
static char                password[CERTIFICATES_PATH], garbage[CERTIFICATES_PATH];

static int set_up(void **state)
{
        (void)state;
        certificates_begin(&folder);
        mine  = certificate_issue(&folder, NULL, &(struct wish){ .common_name = "mine",
                                                                 .names =
                                                                         "email:a@b.test,URI:urn:x",
                                                                 .from_days = -1,
                                                                 .to_days   = 10 });
        other = certificate_issue(&folder, NULL, &(struct wish){ .common_name = "other" });
        certificate_write(&folder, "good.pem", mine.certificate, NULL, NULL, good);
        certificate_write(&folder, "key.pem", NULL, mine.key, NULL, key);
        certificate_write(&folder, "wrong.pem", NULL, other.key, NULL, wrong_key);
        certificate_write(&folder, "locked.pem", NULL, mine.key, "open", locked);
        certificates_text(&folder, "password", "open\n", password);
        certificates_text(&folder, "garbage.pem", "no certificate\n", garbage);
        return 0;
}

static int tear_down(void **state)
{
        (void)state;
        certificate_free(&mine);
        certificate_free(&other);
        certificates_end(&folder);
        return 0;
}

#define SET(field, value) snprintf(config.field, sizeof config.field, "%s", value)

static void expect_refused(const struct tls_config *config, const char *key_name, const char *words)
{
        char                why[TLS_WHY_SIZE] = "";
        struct tls_context *context           = tls_context_new(config, why);

        EXPECT(context == NULL);
        EXPECT(strncmp(why, key_name, strlen(key_name)) == 0, "%s", why);
        EXPECT(strstr(why, words) != NULL, "%s", why);
}

static void expect_good(const struct tls_config *config)
{
        char                why[TLS_WHY_SIZE] = "";
        struct tls_context *context           = tls_context_new(config, why);

        EXPECT(context != NULL, "%s", why);
        tls_context_put(context);
}

TEST(what_is_wrong_with_a_file_is_one_sentence)
{
        struct tls_config config = { .certificates = "" };
        char              missing[600];

        expect_refused(&config, "certfile", "missing");
        snprintf(missing, sizeof missing, "%s/none/cert.pem", folder.folder);
        SET(certificates, missing);
        expect_refused(&config, "certfile", "there is no directory");
        snprintf(missing, sizeof missing, "%s/none.pem", folder.folder);
        SET(certificates, missing);
        expect_refused(&config, "certfile", "there is no such file");
        snprintf(missing, sizeof missing, "%s/x", good);
        SET(certificates, missing);
        expect_refused(&config, "certfile", "is not a directory");
        SET(certificates, folder.folder);
        expect_refused(&config, "certfile", "not a regular file");
        SET(certificates, garbage);
        expect_refused(&config, "certfile", "no certificate in PEM");
        SET(certificates, good);
        expect_refused(&config, "keyfile", "no private key in PEM");
        SET(keys, wrong_key);
        expect_refused(&config, "keyfile", "not the key of the certificate");
        SET(keys, "a,b");
        expect_refused(&config, "keyfile", "as many as in certfile");
        SET(keys, key);
        expect_good(&config);
        config.verify = TLS_VERIFY_PEER;
        expect_refused(&config, "verify = peer", "cacertfile");
        SET(ca_file, garbage);
        expect_refused(&config, "cacertfile", garbage);
        SET(ca_file, good);
        SET(crl_files, garbage);
        expect_refused(&config, "crlfile", "no revocation list");
        SET(crl_files, "");
        SET(ciphers, "NOTHING");
        expect_refused(&config, "ciphers NOTHING", "none of these");
        SET(ciphers, "");
        SET(alpn, "mqtt,,x");
        expect_refused(&config, "alpn", "1 to 255");
        SET(alpn, "");
        expect_good(&config);
}

TEST(an_encrypted_key_is_opened_by_the_password_file_and_never_by_a_terminal)
{
        struct tls_config config = { .certificates = "" };

        SET(certificates, good);
        SET(keys, locked);
        expect_refused(&config, "keyfile", "set key_password_file");
        SET(password_file, garbage);
        expect_refused(&config, "keyfile", "does not open it");
        SET(password_file, password);
        expect_good(&config);
}

TEST(a_file_that_may_not_be_read_is_told_with_the_part_to_blame)
{
        struct tls_config config = { .certificates = "" };
        char              inner[300], path[400], file[CERTIFICATES_PATH];

        if (geteuid() == 0)
                skip();                 /* nothing is closed to root */
        snprintf(inner, sizeof inner, "%s/closed", folder.folder);
        EXPECT(mkdir(inner, 0) == 0);
        snprintf(path, sizeof path, "%s/cert.pem", inner);
        SET(certificates, path);
        expect_refused(&config, "certfile", "permission denied on the directory");
        expect_refused(&config, "certfile", "mode 0000");
        EXPECT(rmdir(inner) == 0);
        certificates_text(&folder, "closed.pem", "x", file);
        EXPECT(chmod(file, 0) == 0);
        SET(certificates, file);
        expect_refused(&config, "certfile", "permission denied on the file");
}

TEST(the_end_of_a_certificate_is_known)
{
        struct tls_config   config            = { .certificates = "" };
        char                why[TLS_WHY_SIZE] = "";
        struct tls_context *context;
        int64_t             now_s = time(NULL);

        SET(certificates, good);
        SET(keys, key);
        context = tls_context_new(&config, why);
        EXPECT(context != NULL, "%s", why);
        EXPECT_EQ(tls_days_left(context->own[0].expires_s, now_s - 60), 10);
        tls_context_put(context);
        EXPECT_EQ(tls_days_left(now_s + 86399, now_s), 0);
        EXPECT_EQ(tls_days_left(now_s - 1, now_s), -1);
}

TEST(names_are_read_from_a_certificate)
{
        static const struct {
                enum tls_name kind;
                const char   *name;
        } rows[] = { { TLS_NAME_CN, "mine" },     { TLS_NAME_DN, "CN=mine" },
                     { TLS_NAME_SAN_DNS, "" },    { TLS_NAME_SAN_EMAIL, "a@b.test" },
                     { TLS_NAME_SAN_URI, "urn:x" }, { TLS_NAME_NONE, "" } };
        char          to[16];
        struct issued nul;
        size_t        len;

        for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
                len = tls_certificate_name(mine.certificate, rows[i].kind, to, sizeof to);
                EXPECT(len == strlen(rows[i].name) && memcmp(to, rows[i].name, len) == 0, "%zu", i);
        }
        EXPECT_EQ(tls_certificate_name(mine.certificate, TLS_NAME_CN, to, 4), 0);

        nul = certificate_issue(&folder, NULL, &(struct wish){ .common_name = NULL });
        X509_NAME_add_entry_by_NID(X509_get_subject_name(nul.certificate), NID_commonName,
                                   MBSTRING_UTF8, (const unsigned char *)"admin\0.evil", 11, -1, 0);
        EXPECT_EQ(tls_certificate_name(nul.certificate, TLS_NAME_CN, to, sizeof to), 0);
        certificate_free(&nul);

        nul = certificate_issue(&folder, NULL, &(struct wish){ .common_name = "one" });
        X509_NAME_add_entry_by_NID(X509_get_subject_name(nul.certificate), NID_commonName,
                                   MBSTRING_UTF8, (const unsigned char *)"two", 3, -1, 0);
        EXPECT_EQ(tls_certificate_name(nul.certificate, TLS_NAME_CN, to, sizeof to), 0);
        certificate_free(&nul);
}

/* ---- files of pre-shared keys ---------------------------------------------------------------- */

TEST(a_file_of_keys_is_read_or_its_line_is_named)
{
        static const struct {
                const char *text, *why;
        } rows[] = {
                { "", "it has no line" },
                { "# only words\n\n", "it has no line" },
                { "a:00112233445566778899aabbccddee\n", "line 1: a key has" },
                { "a:00112233445566778899aabbccddeef\n", "line 1: a key has" },
                { "a:00112233445566778899aabbccddeefg\n", "line 1: a key has" },
                { "#\na\n", "line 2: it is not IDENTITY:HEXKEY" },
                { ":00112233445566778899aabbccddeeff\n", "line 1: an identity has" },
                { "a:00112233445566778899aabbccddeeff\na:00112233445566778899aabbccddeeff\n",
                  "line 2: the identity has a key already" },
                { "a:00112233445566778899aabbccddeeff", NULL },
        };
        char why[PSK_WHY_SIZE], file[CERTIFICATES_PATH];

        for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
                struct tls_psks *psks;

                certificates_text(&folder, "keys", rows[i].text, file);
                psks = tls_psks_read(file, why);
                EXPECT((psks != NULL) == (rows[i].why == NULL), "%zu", i);
                if (psks == NULL)
                        EXPECT(strstr(why, rows[i].why) != NULL, "%s", why);
                tls_psks_free(psks);
        }
}

TEST(a_key_is_found_by_its_identity_and_a_decoy_stays_the_same)
{
        char             why[PSK_WHY_SIZE], file[CERTIFICATES_PATH];
        unsigned char    one[PSK_KEY_MIN], two[PSK_KEY_MIN];
        struct tls_psks *psks;
        struct str       found;

        certificates_text(&folder, "keys", "a:000102030405060708090a0b0c0d0e0f\n", file);
        psks = tls_psks_read(file, why);
        EXPECT(psks != NULL, "%s", why);
        found = tls_psks_find(psks, STR("a"));
        EXPECT(found.len == 16 && found.ptr[1] == 1 && found.ptr[15] == 15);
        EXPECT(tls_psks_find(psks, STR("b")).ptr == NULL);
        tls_psks_decoy(psks, STR("b"), one);
        tls_psks_decoy(psks, STR("b"), two);
        EXPECT(memcmp(one, two, sizeof one) == 0);
        tls_psks_decoy(psks, STR("c"), two);
        EXPECT(memcmp(one, two, sizeof one) != 0);
        tls_psks_free(psks);
}

/* ---- keys of tickets ------------------------------------------------------------------------- */

TEST(ticket_keys_are_renewed_and_the_old_ones_open_for_a_while)
{
        struct tls_tickets   *tickets = tls_tickets_new(0);
        struct tls_ticket_key first   = tls_tickets_newest(tickets, 1), found;
        uint64_t              later   = TICKET_KEY_MS;

        EXPECT_EQ(tls_tickets_find(tickets, first.name, later - 1, &found), 1);
        EXPECT(memcmp(&found, &first, sizeof found) == 0);
        EXPECT(memcmp(tls_tickets_newest(tickets, later).name, first.name, sizeof first.name) != 0);
        EXPECT_EQ(tls_tickets_find(tickets, first.name, later, &found), 2);
        EXPECT_EQ(tls_tickets_find(tickets, first.name, later * 2, &found), 2);
        EXPECT_EQ(tls_tickets_find(tickets, first.name, later * 3, &found), 0);
        tls_tickets_free(tickets);
}

int main(void)
{
        static const struct CMUnitTest tests[] = {
                CASE(what_is_wrong_with_a_file_is_one_sentence),
                CASE(an_encrypted_key_is_opened_by_the_password_file_and_never_by_a_terminal),
                CASE(a_file_that_may_not_be_read_is_told_with_the_part_to_blame),
                CASE(the_end_of_a_certificate_is_known),
                CASE(names_are_read_from_a_certificate),
                CASE(a_file_of_keys_is_read_or_its_line_is_named),
                CASE(a_key_is_found_by_its_identity_and_a_decoy_stays_the_same),
                CASE(ticket_keys_are_renewed_and_the_old_ones_open_for_a_while),
        };

        return cmocka_run_group_tests_name("tls_context", tests, set_up, tear_down) != 0;
}
