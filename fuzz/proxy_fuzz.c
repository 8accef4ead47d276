/* A PROXY header and what follows it. Whatever its bytes: nothing is read behind them, a header has
 * the size it says, more bytes behind it change nothing, fewer never make another one of it, and
 * what is shown lies within. */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "net/proxy_protocol.h"

static void expect_within(struct str part, struct str whole)
{
        assert(part.ptr == NULL ||
               (part.ptr >= whole.ptr && part.ptr + part.len <= whole.ptr + whole.len));
}

static enum proxy_result parse(const uint8_t *data, size_t size, struct proxy_header *out)
{
        const char       *why;
        enum proxy_result result = proxy_header_parse(str_from(data, size), out, &why);

        assert((result == PROXY_BAD) == (why != NULL));
        return result;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        struct proxy_header header, shorter;
        enum proxy_result   result = parse(data, size, &header);
        struct str          whole  = str_from(data, size);
        sa_family_t         family = header.source.any.sa_family;

        if (result == PROXY_MORE)
                assert(size < PROXY_BYTES_MAX);
        if (result != PROXY_DONE)
                return 0;
        assert(header.size > 0 && header.size <= size && header.size <= PROXY_BYTES_MAX);
        assert((header.speaks == PROXY_FOR_CLIENT) == (family == AF_INET || family == AF_INET6));
        assert(!header.verified || header.tls);
        whole.len = header.size;
        expect_within(header.alpn, whole);
        expect_within(header.authority, whole);
        expect_within(header.unique_id, whole);
        expect_within(header.tls_version, whole);
        expect_within(header.cipher, whole);
        expect_within(header.common_name, whole);
        for (size_t len = 0; len < header.size; len++)
                assert(parse(data, len, &shorter) == PROXY_MORE);
        assert(parse(data, header.size, &shorter) == PROXY_DONE);
        assert(shorter.size == header.size && shorter.speaks == header.speaks);
        assert(shorter.verified == header.verified);
        assert(str_eq(shorter.common_name, header.common_name));
        return 0;
}
