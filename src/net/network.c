#include "net/network.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

enum { V6_BITS = 128, V4_BITS = 32 };

static bool parse_bits(struct str text, unsigned most, unsigned *out)
{
        *out = 0;
        if (text.len == 0 || text.len > 3)
                return false;
        for (size_t i = 0; i < text.len; i++) {
                if (text.ptr[i] < '0' || text.ptr[i] > '9')
                        return false;
                *out = *out * 10 + (unsigned)(text.ptr[i] - '0');
        }
        return *out <= most;
}

/* Whether the first `bits` bits are the same. */
static bool same_prefix(const struct in6_addr *a, const struct in6_addr *b, unsigned bits)
{
        unsigned whole = bits / 8;
        unsigned mask = 0xff00u >> bits % 8 & 0xffu;

        return memcmp(a->s6_addr, b->s6_addr, whole) == 0 &&
               (mask == 0 || ((a->s6_addr[whole] ^ b->s6_addr[whole]) & mask) == 0);
}

/* As IPv6; false for what has no IP address. */
static bool v6_of(const struct address *address, struct in6_addr *out)
{
        if (address->any.sa_family == AF_INET6) {
                *out = address->v6.sin6_addr;
                return true;
        }
        if (address->any.sa_family != AF_INET)
                return false;
        *out = (struct in6_addr){
                .s6_addr = {[10] = 0xff, [11] = 0xff}
        };
        memcpy(&out->s6_addr[12], &address->v4.sin_addr, sizeof address->v4.sin_addr);
        return true;
}

bool network_parse(struct str text, struct network *out)
{
        struct address address;
        struct str     ip;
        unsigned       bits;

        if (!str_cut(&text, '/', &ip) || !address_parse_ip(ip, &address) ||
            !v6_of(&address, &out->address))
                return false;

        unsigned most = address.any.sa_family == AF_INET ? V4_BITS : V6_BITS;

        bits = most;
        if (text.ptr != NULL && !parse_bits(text, most, &bits))
                return false;
        out->bits = bits + (V6_BITS - most);
        return true;
}

bool network_has(const struct network *network, const struct address *address)
{
        struct in6_addr v6;

        return v6_of(address, &v6) && same_prefix(&network->address, &v6, network->bits);
}

/* No bits behind its prefix. */
static bool parse_exact(struct str text, struct network *out)
{
        struct in6_addr none = { 0 }, rest;

        if (!network_parse(text, out))
                return false;
        rest = out->address;
        memset(rest.s6_addr, 0, out->bits / 8);
        if (out->bits < V6_BITS)
                rest.s6_addr[out->bits / 8] &= (uint8_t)(0xffu >> out->bits % 8);
        return memcmp(&rest, &none, sizeof rest) == 0;
}

bool network_of(const struct address *address, unsigned v4_bits, unsigned v6_bits,
                struct network *out)
{
        if (!v6_of(address, &out->address))
                return false;
        out->bits = IN6_IS_ADDR_V4MAPPED(&out->address) ? v4_bits + (V6_BITS - V4_BITS) : v6_bits;
        for (unsigned bit = out->bits; bit < V6_BITS; bit++)
                out->address.s6_addr[bit / 8] &= (uint8_t)~(0x80u >> bit % 8);
        return true;
}

void network_text(const struct network *network, char to[static NETWORK_TEXT_SIZE])
{
        bool        v4   = IN6_IS_ADDR_V4MAPPED(&network->address) && network->bits >= 96;
        unsigned    most = v4 ? V4_BITS : V6_BITS;
        unsigned    bits = v4 ? network->bits - 96 : network->bits;
        const void *from = &network->address.s6_addr[v4 ? 12 : 0];
        char        address[INET6_ADDRSTRLEN];

        inet_ntop(v4 ? AF_INET : AF_INET6, from, address, sizeof address);
        if (bits == most)
                snprintf(to, NETWORK_TEXT_SIZE, "%s", address);
        else
                snprintf(to, NETWORK_TEXT_SIZE, "%s/%u", address, bits);
}

bool network_valid(struct str text)
{
        struct network network;

        return parse_exact(text, &network);
}

bool networks_valid(struct str list)
{
        return str_list_all(list, network_valid);
}

bool networks_contain(struct str list, const struct address *address)
{
        struct network network;
        struct str     text;

        while (str_list_cut(&list, &text))
                if (parse_exact(text, &network) && network_has(&network, address))
                        return true;
        return false;
}

static bool split_rule(struct str rule, bool *allow, struct str *whom)
{
        struct str verb;

        *whom = rule;
        if (!str_cut(whom, ' ', &verb))
                return false;
        while (whom->len > 0 && whom->ptr[0] == ' ')
                *whom = str_skip(*whom, 1);
        *allow = str_eq(verb, STR("allow"));
        return *allow || str_eq(verb, STR("deny"));
}

bool network_rule_valid(struct str rule)
{
        struct str whom;
        bool       allow;

        return split_rule(rule, &allow, &whom) && (str_eq(whom, STR("all")) || network_valid(whom));
}

bool network_rules_allow(struct str rules, const struct address *address)
{
        struct str rule, whom;
        bool       allow;

        while (str_cut(&rules, '\n', &rule)) {
                if (split_rule(rule, &allow, &whom) &&
                    (str_eq(whom, STR("all")) || networks_contain(whom, address)))
                        return allow;
        }
        return false;
}
