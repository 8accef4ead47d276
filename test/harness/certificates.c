#include "harness/certificates.h"

#include <assert.h>
#include <dirent.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { DAY_S = 86400 };

#define MUST(condition)                                                                            \
        do {                                                                                       \
                bool good_ = (condition);                                                          \
                                                                                                   \
                assert(good_);                                                                     \
        } while (0)

void certificates_begin(struct certificates *certificates)
{
        *certificates = (struct certificates){ .folder = "/tmp/linnet-certificates-XXXXXX" };
        MUST(mkdtemp(certificates->folder) != NULL);
}

void certificates_end(struct certificates *certificates)
{
        DIR           *folder = opendir(certificates->folder);
        struct dirent *entry;
        char           path[CERTIFICATES_PATH + 256];

        assert(folder != NULL);
        while ((entry = readdir(folder)) != NULL) {
                snprintf(path, sizeof path, "%s/%s", certificates->folder, entry->d_name);
                if (entry->d_name[0] != '.')
                        unlink(path);
        }
        closedir(folder);
        rmdir(certificates->folder);
}

static void add_extension(X509 *certificate, X509 *issuer, int kind, const char *value)
{
        X509V3_CTX      context;
        X509_EXTENSION *extension;

        X509V3_set_ctx(&context, issuer, certificate, NULL, NULL, 0);
        extension = X509V3_EXT_conf_nid(NULL, &context, kind, value);
        assert(extension != NULL);
        MUST(X509_add_ext(certificate, extension, -1));
        X509_EXTENSION_free(extension);
}

struct issued certificate_issue(struct certificates *certificates, const struct issued *issuer,
                                const struct wish *wish)
{
        struct issued made    = { X509_new(), EVP_EC_gen("P-256") };
        X509         *by      = issuer != NULL ? issuer->certificate : made.certificate;
        X509_NAME    *subject = X509_get_subject_name(made.certificate);
        bool          default_time = wish->from_days == 0 && wish->to_days == 0;
        long          from_s = (long)(default_time ? -1 : wish->from_days) * DAY_S;
        long          to_s   = (long)(default_time ? 1 : wish->to_days) * DAY_S;

        assert(made.certificate != NULL && made.key != NULL);
        MUST(X509_set_version(made.certificate, 2));
        MUST(ASN1_INTEGER_set(X509_get_serialNumber(made.certificate), ++certificates->serial));
        if (wish->common_name != NULL)
                MUST(X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8,
                                                (const unsigned char *)wish->common_name, -1, -1,
                                                0));
        MUST(X509_gmtime_adj(X509_getm_notBefore(made.certificate), from_s) != NULL);
        MUST(X509_gmtime_adj(X509_getm_notAfter(made.certificate), to_s) != NULL);
        MUST(X509_set_issuer_name(made.certificate, X509_get_subject_name(by)));
        MUST(X509_set_pubkey(made.certificate, made.key));
        add_extension(made.certificate, by, NID_basic_constraints,
                      wish->authority ? "critical,CA:TRUE" : "CA:FALSE");
        if (wish->names != NULL)
                add_extension(made.certificate, by, NID_subject_alt_name, wish->names);
        MUST(X509_sign(made.certificate, issuer != NULL ? issuer->key : made.key, EVP_sha256()));
        return made;
}

void certificate_free(struct issued *issued)
{
        X509_free(issued->certificate);
        EVP_PKEY_free(issued->key);
        *issued = (struct issued){ NULL, NULL };
}

static FILE *create(const struct certificates *certificates, const char *name,
                    char path[static CERTIFICATES_PATH])
{
        FILE *file;

        snprintf(path, CERTIFICATES_PATH, "%s/%s", certificates->folder, name);
        file = fopen(path, "w");
        assert(file != NULL);
        return file;
}

void certificate_write(const struct certificates *certificates, const char *name, X509 *certificate,
                       EVP_PKEY *key, const char *password, char path[static CERTIFICATES_PATH])
{
        FILE             *file   = create(certificates, name, path);
        const EVP_CIPHER *cipher = password != NULL ? EVP_aes_256_cbc() : NULL;

        if (certificate != NULL)
                MUST(PEM_write_X509(file, certificate));
        if (key != NULL)
                MUST(PEM_write_PKCS8PrivateKey(file, key, cipher, password,
                                               password != NULL ? (int)strlen(password) : 0, NULL,
                                               NULL));
        fclose(file);
}

void certificate_revoke(const struct certificates *certificates, const char *name,
                        const struct issued *issuer, X509 *revoked,
                        char path[static CERTIFICATES_PATH])
{
        FILE      *file = create(certificates, name, path);
        X509_CRL  *list = X509_CRL_new();
        ASN1_TIME *time = X509_gmtime_adj(NULL, -DAY_S);

        assert(list != NULL && time != NULL);
        MUST(X509_CRL_set_version(list, 1));
        MUST(X509_CRL_set_issuer_name(list, X509_get_subject_name(issuer->certificate)));
        MUST(X509_CRL_set1_lastUpdate(list, time));
        if (revoked != NULL) {
                X509_REVOKED *entry = X509_REVOKED_new();

                assert(entry != NULL);
                MUST(X509_REVOKED_set_serialNumber(entry, X509_get_serialNumber(revoked)));
                MUST(X509_REVOKED_set_revocationDate(entry, time));
                MUST(X509_CRL_add0_revoked(list, entry));
        }
        MUST(X509_gmtime_adj(time, DAY_S) != NULL && X509_CRL_set1_nextUpdate(list, time));
        MUST(X509_CRL_sign(list, issuer->key, EVP_sha256()));
        MUST(PEM_write_X509_CRL(file, list));
        X509_CRL_free(list);
        ASN1_TIME_free(time);
        fclose(file);
}

void certificates_text(const struct certificates *certificates, const char *name, const char *text,
                       char path[static CERTIFICATES_PATH])
{
        FILE *file = create(certificates, name, path);

        fputs(text, file);
        fclose(file);
}
