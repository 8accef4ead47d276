#include "net/tls_identity.h"

#include <openssl/x509v3.h>
#include <string.h>

/* 0 when it does not fit, or holds what no name should: a NUL would make one name look like
 * another. */
static size_t copy_name(const void *name, int len, char *to, size_t size)
{
        const unsigned char *bytes = name;

        if (len <= 0 || (size_t)len >= size)
                return 0;
        for (int i = 0; i < len; i++)
                if (bytes[i] < 0x20 || bytes[i] == 0x7f)
                        return 0;
        memcpy(to, bytes, (size_t)len);
        return (size_t)len;
}

static size_t text_of(const ASN1_STRING *string, char *to, size_t size)
{
        unsigned char *utf8 = NULL;
        int            len  = string != NULL ? ASN1_STRING_to_UTF8(&utf8, string) : -1;
        size_t         used = copy_name(utf8, len, to, size);

        if (len >= 0)
                OPENSSL_free(utf8);
        return used;
}

static size_t common_name(const X509_NAME *subject, char *to, size_t size)
{
        int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);

        if (at < 0 || X509_NAME_get_index_by_NID(subject, NID_commonName, at) >= 0)
                return 0;
        return text_of(X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)), to, size);
}

static size_t distinguished_name(const X509_NAME *subject, char *to, size_t size)
{
        BIO          *text = BIO_new(BIO_s_mem());
        unsigned long as   = XN_FLAG_RFC2253 & ~(unsigned long)ASN1_STRFLGS_ESC_MSB;
        size_t        used = 0;
        char         *bytes;

        if (text != NULL && X509_NAME_print_ex(text, subject, 0, as) >= 0) {
                long len = BIO_get_mem_data(text, &bytes);

                used = copy_name(bytes, len < (long)size ? (int)len : -1, to, size);
        }
        BIO_free(text);
        return used;
}

static size_t alternative_name(const X509 *certificate, int type, char *to, size_t size)
{
        GENERAL_NAMES *names = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
        size_t         used  = 0;

        for (int i = 0; used == 0 && i < sk_GENERAL_NAME_num(names); i++) {
                const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);

                if (name->type == type)         /* all of ours are IA5 strings */
                        used = text_of(name->d.ia5, to, size);
        }
        GENERAL_NAMES_free(names);
        return used;
}

size_t tls_certificate_name(const X509 *certificate, enum tls_name kind, char *to, size_t size)
{
        const X509_NAME *subject = X509_get_subject_name(certificate);

        switch (kind) {
        case TLS_NAME_CN:
                return common_name(subject, to, size);
        case TLS_NAME_DN:
                return distinguished_name(subject, to, size);
        case TLS_NAME_SAN_DNS:
                return alternative_name(certificate, GEN_DNS, to, size);
        case TLS_NAME_SAN_EMAIL:
                return alternative_name(certificate, GEN_EMAIL, to, size);
        case TLS_NAME_SAN_URI:
                return alternative_name(certificate, GEN_URI, to, size);
        case TLS_NAME_NONE:
                break;
        }
        return 0;
}
