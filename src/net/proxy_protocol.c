#include "net/proxy_protocol.h"

#include <arpa/inet.h>
#include <string.h>

enum {
        V2_HEAD_BYTES = 16,
        V2_V4_BYTES   = 12,
        V2_V6_BYTES   = 36,
        V2_UNIX_BYTES = 216,
        COMMAND_LOCAL = 0x20, COMMAND_PROXY = 0x21,     /* with the version */
        FAMILY_NONE = 0x00, FAMILY_TCP4 = 0x11, FAMILY_TCP6 = 0x21, FAMILY_UNIX = 0x31,
        TLV_ALPN = 0x01, TLV_AUTHORITY = 0x02, TLV_CRC32C = 0x03, TLV_UNIQUE_ID = 0x05,
        TLV_SSL = 0x20, TLV_SSL_VERSION = 0x21, TLV_SSL_CN = 0x22, TLV_SSL_CIPHER = 0x23,
        CLIENT_SSL = 1, CLIENT_CERTIFICATE = 2 | 4,     /* in this connection, or this session */
        SSL_HEAD_BYTES = 5,
        UNIQUE_ID_MAX  = 128,
};

#define SIGNATURE STR("\r\n\r\n\0\r\nQUIT\n")

static enum proxy_result parse_v1(struct str bytes, struct proxy_header *out, const char **why);
static enum proxy_result parse_v2(struct str bytes, struct proxy_header *out, const char **why);
static bool v1_line(struct str line, struct proxy_header *out);
static bool v2_address(struct str *rest, unsigned family, struct proxy_header *out);
static bool v2_tlvs(struct str header, struct str tlvs, struct proxy_header *out, const char **why);
static bool v2_ssl(struct str value, struct proxy_header *out);

/* As far as there are bytes, they are those of `wanted`. */
static bool begins(struct str bytes, struct str wanted)
{
        return bytes.len < wanted.len ? str_starts(wanted, bytes) : str_starts(bytes, wanted);
}

enum proxy_result proxy_header_parse(struct str bytes, struct proxy_header *out, const char **why)
{
        *out = (struct proxy_header){ .speaks = PROXY_FOR_UNKNOWN };
        *why = NULL;
        if (bytes.len == 0)
                return PROXY_MORE;
        if (begins(bytes, SIGNATURE))
                return parse_v2(bytes, out, why);
        if (begins(bytes, STR("PROXY ")))
                return parse_v1(bytes, out, why);
        *why = "no PROXY header";
        return PROXY_BAD;
}

static enum proxy_result bad(const char **why, const char *text)
{
        *why = text;
        return PROXY_BAD;
}

/* ---- version 1: a line ----------------------------------------------------------------------- */

static enum proxy_result parse_v1(struct str bytes, struct proxy_header *out, const char **why)
{
        size_t      most = bytes.len < PROXY_V1_BYTES_MAX ? bytes.len : PROXY_V1_BYTES_MAX;
        const char *end  = memchr(bytes.ptr, '\n', most);

        if (end == NULL)
                return most < PROXY_V1_BYTES_MAX ? PROXY_MORE
                                                 : bad(why, "a PROXY line without an end");
        out->version = 1;
        out->size    = (size_t)(end - bytes.ptr) + 1;
        if (out->size < 2 || end[-1] != '\r' ||
            !v1_line(str_from(bytes.ptr, out->size - 2), out))
                return bad(why, "a PROXY line that is none");
        return PROXY_DONE;
}

static bool v1_address(struct str host, struct str port, int family, struct address *out)
{
        char      text[INET6_ADDRSTRLEN];
        in_port_t number;
        bool      v6 = family == AF_INET6;

        *out = (struct address){ 0 };
        if (host.len == 0 || host.len >= sizeof text || memchr(host.ptr, 0, host.len) != NULL ||
            (port.len > 1 && port.ptr[0] == '0') || !address_parse_port(port, &number))
                return false;
        memcpy(text, host.ptr, host.len);
        text[host.len] = '\0';
        if (v6)
                out->v6 = (struct sockaddr_in6){ .sin6_family = AF_INET6, .sin6_port = number };
        else
                out->v4 = (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = number };
        return inet_pton(family, text, v6 ? (void *)&out->v6.sin6_addr
                                          : (void *)&out->v4.sin_addr) == 1;
}

/* "PROXY TCP4 from to port port", and nothing else. */
static bool v1_line(struct str line, struct proxy_header *out)
{
        struct str     word[6];
        struct address to;
        unsigned       count = 0;
        int            family;

        while (count < 6 && str_cut(&line, ' ', &word[count]))
                count++;
        if (count >= 2 && str_eq(word[1], STR("UNKNOWN")))
                return true;                    /* whatever follows is to be ignored */
        if (count != 6 || line.ptr != NULL)
                return false;
        family = str_eq(word[1], STR("TCP6")) ? AF_INET6 : AF_INET;
        if (family == AF_INET && !str_eq(word[1], STR("TCP4")))
                return false;
        out->speaks = PROXY_FOR_CLIENT;
        return v1_address(word[2], word[4], family, &out->source) &&
               v1_address(word[3], word[5], family, &to);
}

/* ---- version 2: a head, addresses, and what else there is to tell ---------------------------- */

static unsigned big_endian_16(const char *at)
{
        return (unsigned)(uint8_t)at[0] << 8 | (uint8_t)at[1];
}

static uint32_t big_endian_32(const char *at)
{
        return (uint32_t)big_endian_16(at) << 16 | big_endian_16(at + 2);
}

static enum proxy_result parse_v2(struct str bytes, struct proxy_header *out, const char **why)
{
        struct str rest;
        unsigned   command, family;

        if (bytes.len < V2_HEAD_BYTES)
                return PROXY_MORE;
        command      = (uint8_t)bytes.ptr[12];
        family       = (uint8_t)bytes.ptr[13];
        out->version = 2;
        out->size    = V2_HEAD_BYTES + big_endian_16(bytes.ptr + 14);
        if (command != COMMAND_LOCAL && command != COMMAND_PROXY)
                return bad(why, "a PROXY header of an unknown version or command");
        if (out->size > PROXY_BYTES_MAX)
                return bad(why, "a PROXY header that is too long");
        if (bytes.len < out->size)
                return PROXY_MORE;
        if (command == COMMAND_LOCAL) {         /* what stands in it is to be thrown away */
                out->speaks = PROXY_FOR_ITSELF;
                return PROXY_DONE;
        }
        rest = str_from(bytes.ptr + V2_HEAD_BYTES, out->size - V2_HEAD_BYTES);
        if (!v2_address(&rest, family, out))
                return bad(why, "a PROXY header of an unknown family, or cut short");
        return v2_tlvs(str_from(bytes.ptr, out->size), rest, out, why) ? PROXY_DONE : PROXY_BAD;
}

/* Takes the addresses off *rest. */
static bool v2_address(struct str *rest, unsigned family, struct proxy_header *out)
{
        const char *at   = rest->ptr;
        size_t      size = family == FAMILY_TCP4   ? V2_V4_BYTES
                           : family == FAMILY_TCP6 ? V2_V6_BYTES
                           : family == FAMILY_UNIX ? V2_UNIX_BYTES
                                                   : 0;

        if ((size == 0 && family != FAMILY_NONE) || rest->len < size)
                return false;
        *rest = str_skip(*rest, size);
        if (family == FAMILY_TCP4) {
                out->source.v4.sin_family = AF_INET;
                memcpy(&out->source.v4.sin_addr, at, 4);
                memcpy(&out->source.v4.sin_port, at + 8, 2);
        } else if (family == FAMILY_TCP6) {
                out->source.v6.sin6_family = AF_INET6;
                memcpy(&out->source.v6.sin6_addr, at, 16);
                memcpy(&out->source.v6.sin6_port, at + 32, 2);
        } else {
                return true;
        }
        out->speaks = PROXY_FOR_CLIENT;
        return true;
}

/* Castagnoli's, bit by bit: once a connection, over a few hundred bytes. */
static uint32_t crc32c(uint32_t crc, struct str bytes)
{
        for (size_t i = 0; i < bytes.len; i++) {
                crc ^= (uint8_t)bytes.ptr[i];
                for (unsigned bit = 0; bit < 8; bit++)
                        crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78 : 0);
        }
        return crc;
}

/* Over the whole header, with zeros in the sum's own place. */
static bool sum_is_right(struct str header, struct str sum)
{
        size_t   before = (size_t)(sum.ptr - header.ptr);
        uint32_t crc;

        if (sum.len != 4)
                return false;
        crc = crc32c(UINT32_MAX, str_from(header.ptr, before));
        crc = crc32c(crc, STR("\0\0\0\0"));
        crc = crc32c(crc, str_skip(header, before + 4));
        return ~crc == big_endian_32(sum.ptr);
}

/* False when nothing is left, or what is left is cut short; then *rest is not empty. */
static bool next_tlv(struct str *rest, unsigned *type, struct str *value)
{
        size_t len;

        if (rest->len < 3)
                return false;
        *type = (uint8_t)rest->ptr[0];
        len   = big_endian_16(rest->ptr + 1);
        if (rest->len - 3 < len)
                return false;
        *value = str_from(rest->ptr + 3, len);
        *rest  = str_skip(*rest, 3 + len);
        return true;
}

/* Each kind at most once: a second could say something else. */
static bool take(struct str *to, struct str value)
{
        if (to->ptr != NULL)
                return false;
        *to = value;
        return true;
}

static bool v2_tlvs(struct str header, struct str tlvs, struct proxy_header *out, const char **why)
{
        struct str value, sum = { 0 }, ssl = { 0 };
        unsigned   type;
        bool       good = true;

        while (good && next_tlv(&tlvs, &type, &value)) {
                if (type == TLV_ALPN)
                        good = take(&out->alpn, value);
                else if (type == TLV_AUTHORITY)
                        good = take(&out->authority, value);
                else if (type == TLV_UNIQUE_ID)
                        good = value.len <= UNIQUE_ID_MAX && take(&out->unique_id, value);
                else if (type == TLV_CRC32C)
                        good = take(&sum, value);
                else if (type == TLV_SSL)
                        good = take(&ssl, value) && v2_ssl(value, out);
        }
        if (!good || tlvs.len > 0)
                *why = "a PROXY header with wrong fields";
        else if (sum.ptr != NULL && !sum_is_right(header, sum))
                *why = "a PROXY header whose checksum is wrong";
        return *why == NULL;
}

static bool v2_ssl(struct str value, struct proxy_header *out)
{
        unsigned   client, type;
        struct str field;
        bool       good = true;

        if (value.len < SSL_HEAD_BYTES)
                return false;
        client        = (uint8_t)value.ptr[0];
        out->tls      = (client & CLIENT_SSL) != 0;
        out->verified = out->tls && (client & CLIENT_CERTIFICATE) != 0 &&
                        big_endian_32(value.ptr + 1) == 0;
        value = str_skip(value, SSL_HEAD_BYTES);
        while (good && next_tlv(&value, &type, &field)) {
                if (type == TLV_SSL_VERSION)
                        good = take(&out->tls_version, field);
                else if (type == TLV_SSL_CN)
                        good = take(&out->common_name, field);
                else if (type == TLV_SSL_CIPHER)
                        good = take(&out->cipher, field);
        }
        return good && value.len == 0;
}
