/* Certificates for tests, made when the test runs: an authority, what it issues and revokes, as PEM
 * files in a folder of the test's own. What fails is an assertion. */
#ifndef LINNET_TEST_HARNESS_CERTIFICATES_H
#define LINNET_TEST_HARNESS_CERTIFICATES_H

#include <openssl/x509.h>
#include <stdbool.h>

enum { CERTIFICATES_PATH = 256 };

/* A folder that goes with all that is in it. */
struct certificates {
        char folder[64];
        long serial;                    /* of the last certificate */
};

/* Who signs, or what is signed. */
struct issued {
        X509     *certificate;          /* owned, both */
        EVP_PKEY *key;
};

/* What is wanted. Zeroed: valid for a day, no alternative names. */
struct wish {
        const char *common_name;        /* NULL: an empty subject */
        const char *names;              /* as in a configuration: "DNS:a.test,URI:urn:b"; or NULL */
        int         from_days, to_days; /* from now; both 0: -1 and +1 */
        bool        authority;
};

void certificates_begin(struct certificates *certificates);
void certificates_end(struct certificates *certificates);

/* By `issuer`, or by itself when that is NULL. */
struct issued certificate_issue(struct certificates *certificates, const struct issued *issuer,
                                const struct wish *wish);
void          certificate_free(struct issued *issued);

/* `path` becomes the file's. The key is written behind the certificate, if there is one, and
 * encrypted if there is a password. */
void certificate_write(const struct certificates *certificates, const char *name, X509 *certificate,
                       EVP_PKEY *key, const char *password, char path[static CERTIFICATES_PATH]);

/* A list that revokes `revoked` (NULL: nobody). */
void certificate_revoke(const struct certificates *certificates, const char *name,
                        const struct issued *issuer, X509 *revoked,
                        char path[static CERTIFICATES_PATH]);

void certificates_text(const struct certificates *certificates, const char *name, const char *text,
                       char path[static CERTIFICATES_PATH]);

#endif
