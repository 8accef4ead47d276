/* For tests: tokens of all kinds, signed with keys of the test's own. */
#ifndef LINNET_SERVICES_AUTH_TOKEN_TEST_H
#define LINNET_SERVICES_AUTH_TOKEN_TEST_H

#include <assert.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rsa.h>
#include <stdio.h>
#include <string.h>

#include "base/buffer.h"

#define TOKEN_SECRET "a secret of thirty-two bytes, or more of them"

static inline void token_part(struct buffer *to, struct str bytes)
{
        unsigned char text[4096];
        int           len;

        assert(bytes.len < 3000);
        len = EVP_EncodeBlock(text, (const unsigned char *)bytes.ptr, (int)bytes.len);
        while (len > 0 && text[len - 1] == '=')
                len--;
        for (int i = 0; i < len; i++)
                text[i] = text[i] == '+' ? '-' : text[i] == '/' ? '_' : text[i];
        assert(buffer_append(to, str_from(text, (size_t)len)));
}

/* R and S in `half` bytes each. */
static inline size_t token_raw_ecdsa(unsigned char *signature, size_t len, int half)
{
        const unsigned char *der  = signature;
        ECDSA_SIG           *both = d2i_ECDSA_SIG(NULL, &der, (long)len);

        assert(both != NULL);
        BN_bn2binpad(ECDSA_SIG_get0_r(both), signature, half);
        BN_bn2binpad(ECDSA_SIG_get0_s(both), signature + half, half);
        ECDSA_SIG_free(both);
        return (size_t)half * 2;
}

/* `alg` says how, "ES256" say; with a NULL key HMAC with `secret`. */
static inline size_t token_sign(const char *alg, EVP_PKEY *key, struct str secret, struct str text,
                                unsigned char *signature)
{
        const EVP_MD *hash = strstr(alg, "256")   ? EVP_sha256()
                             : strstr(alg, "384") ? EVP_sha384()
                             : strstr(alg, "512") ? EVP_sha512()
                                                  : NULL;
        EVP_MD_CTX   *context;
        EVP_PKEY_CTX *about = NULL;
        unsigned      hmac_len = 0;
        size_t        len      = 1024;

        if (key == NULL) {
                HMAC(hash, secret.ptr, (int)secret.len, (const unsigned char *)text.ptr, text.len,
                     signature, &hmac_len);
                return hmac_len;
        }
        context = EVP_MD_CTX_new();
        assert(EVP_DigestSignInit(context, &about, hash, NULL, key) == 1);
        if (alg[0] == 'P') {
                assert(EVP_PKEY_CTX_set_rsa_padding(about, RSA_PKCS1_PSS_PADDING) == 1);
                assert(EVP_PKEY_CTX_set_rsa_pss_saltlen(about, RSA_PSS_SALTLEN_DIGEST) == 1);
        }
        assert(EVP_DigestSign(context, signature, &len, (const unsigned char *)text.ptr,
                              text.len) == 1);
        EVP_MD_CTX_free(context);
        if (alg[0] == 'E' && alg[1] == 'S')
                len = token_raw_ecdsa(signature, len, (EVP_PKEY_get_bits(key) + 7) / 8);
        return len;
}

/* header.payload.signature, to be freed with buffer_deinit(). */
static inline struct buffer token_of(const char *header, const char *payload, const char *how,
                                     EVP_PKEY *key, struct str secret)
{
        struct buffer token = { 0 };
        unsigned char signature[1024];
        size_t        len;

        token_part(&token, str_of(header));
        assert(buffer_append(&token, STR(".")));
        token_part(&token, str_of(payload));
        len = token_sign(how, key, secret, buffer_str(&token), signature);
        assert(buffer_append(&token, STR(".")));
        token_part(&token, str_from(signature, len));
        return token;
}

/* The plain case: HS256 with TOKEN_SECRET. */
static inline struct buffer token_hs256(const char *payload)
{
        return token_of("{\"alg\":\"HS256\"}", payload, "HS256", NULL, STR(TOKEN_SECRET));
}

#endif
