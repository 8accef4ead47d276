#include "net/address.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

bool address_parse_port(struct str text, in_port_t *out)
{
        unsigned port = 0;

        if (text.len == 0 || text.len > 5)
                return false;
        for (size_t i = 0; i < text.len; i++) {
                if (text.ptr[i] < '0' || text.ptr[i] > '9')
                        return false;
                port = port * 10 + (unsigned)(text.ptr[i] - '0');
        }
        *out = htons((uint16_t)port);
        return port <= UINT16_MAX;
}

/* inet_pton() of a view; a NUL inside of it would end the text early. */
static bool parse_ip(int family, struct str text, void *out)
{
        char copy[INET6_ADDRSTRLEN];

        if (text.len == 0 || text.len >= sizeof copy || memchr(text.ptr, 0, text.len) != NULL)
                return false;
        memcpy(copy, text.ptr, text.len);
        copy[text.len] = 0;
        return inet_pton(family, copy, out) == 1;
}

static bool parse_host(struct str host, in_port_t port, struct address *out)
{
        *out = (struct address){ 0 };
        if (host.len == 0 || str_eq(host, STR("*"))) {
                out->v6 = (struct sockaddr_in6){ .sin6_family = AF_INET6, .sin6_port = port };
                return true;
        }
        if (host.ptr[0] == '[') {
                out->v6 = (struct sockaddr_in6){ .sin6_family = AF_INET6, .sin6_port = port };
                return host.ptr[host.len - 1] == ']' &&
                       parse_ip(AF_INET6, str_from(host.ptr + 1, host.len - 2),
                                &out->v6.sin6_addr);
        }
        out->v4 = (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = port };
        return parse_ip(AF_INET, host, &out->v4.sin_addr);
}

bool address_parse(struct str text, struct address *out)
{
        const char    *colon = text.len > 0 ? memrchr(text.ptr, ':', text.len) : NULL;
        size_t         before = colon != NULL ? (size_t)(colon - text.ptr) : 0;
        struct str     port_text = colon != NULL ? str_skip(text, before + 1) : text;
        struct address address;
        in_port_t      port;

        if (!address_parse_port(port_text, &port) ||
            !parse_host(str_from(text.ptr, before), port, &address))
                return false;
        *out = address;
        return true;
}

bool address_parse_ip(struct str text, struct address *out)
{
        struct address v4 = { .v4 = { .sin_family = AF_INET } };
        struct address v6 = { .v6 = { .sin6_family = AF_INET6 } };

        if (parse_ip(AF_INET, text, &v4.v4.sin_addr))
                *out = v4;
        else if (parse_ip(AF_INET6, text, &v6.v6.sin6_addr))
                *out = v6;
        else
                return false;
        return true;
}

static bool is_mapped(const struct address *address)
{
        return address->any.sa_family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&address->v6.sin6_addr);
}

/* The IPv4 address behind an IPv4 or a v4-mapped one. */
static bool v4_of(const struct address *address, struct in_addr *out)
{
        if (address->any.sa_family == AF_INET)
                *out = address->v4.sin_addr;
        else if (is_mapped(address))
                memcpy(out, &address->v6.sin6_addr.s6_addr[12], sizeof *out);
        else
                return false;
        return true;
}

/* As inet_ntop() has it, which takes thirty times as long: a connection is asked several times. */
static void v4_text(const struct in_addr *v4, char *to)
{
        const uint8_t *byte = (const uint8_t *)&v4->s_addr;

        for (unsigned i = 0; i < 4; i++) {
                if (i > 0)
                        *to++ = '.';
                if (byte[i] >= 100)
                        *to++ = (char)('0' + byte[i] / 100);
                if (byte[i] >= 10)
                        *to++ = (char)('0' + byte[i] / 10 % 10);
                *to++ = (char)('0' + byte[i] % 10);
        }
        *to = '\0';
}

void address_ip_text(const struct address *address, char to[static ADDRESS_TEXT_SIZE])
{
        struct in_addr v4;

        if (v4_of(address, &v4))
                v4_text(&v4, to);
        else if (address->any.sa_family == AF_INET6)
                inet_ntop(AF_INET6, &address->v6.sin6_addr, to, ADDRESS_TEXT_SIZE);
        else
                snprintf(to, ADDRESS_TEXT_SIZE, "%s",
                         address->any.sa_family == AF_UNIX ? "unix" : "memory");
}

void address_text(const struct address *address, char to[static ADDRESS_TEXT_SIZE])
{
        char           ip[ADDRESS_TEXT_SIZE];
        struct in_addr v4;

        address_ip_text(address, ip);
        /* The precision is for the compiler: the longest, an IPv6 address, has 45. */
        if (v4_of(address, &v4))
                snprintf(to, ADDRESS_TEXT_SIZE, "%.45s:%u", ip, address_port(address));
        else if (address->any.sa_family == AF_INET6)
                snprintf(to, ADDRESS_TEXT_SIZE, "[%.45s]:%u", ip, address_port(address));
        else
                snprintf(to, ADDRESS_TEXT_SIZE, "%s", ip);
}

uint16_t address_port(const struct address *address)
{
        if (address->any.sa_family == AF_INET)
                return ntohs(address->v4.sin_port);
        return address->any.sa_family == AF_INET6 ? ntohs(address->v6.sin6_port) : 0;
}

bool address_is_loopback(const struct address *address)
{
        struct in_addr v4;

        if (v4_of(address, &v4))
                return ntohl(v4.s_addr) >> 24 == 127;
        return address->any.sa_family == AF_UNIX ||
               (address->any.sa_family == AF_INET6 &&
                IN6_IS_ADDR_LOOPBACK(&address->v6.sin6_addr));
}

socklen_t address_len(const struct address *address)
{
        if (address->any.sa_family == AF_INET)
                return sizeof address->v4;
        return address->any.sa_family == AF_INET6 ? sizeof address->v6 : 0;
}
