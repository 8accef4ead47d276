/* Networks as they are written in a configuration: "10.0.0.0/8", "2001:db8::/32", or one address.
 * A v4-mapped address counts as the IPv4 address that it is. */
#ifndef LINNET_NET_NETWORK_H
#define LINNET_NET_NETWORK_H

#include "net/address.h"

enum { NETWORK_TEXT_SIZE = 64 };

/* Of IPv6; those of IPv4 are in ::ffff:0:0/96. */
struct network {
        struct in6_addr address;
        unsigned        bits;
};

/* False when `text` is neither an address nor one with a prefix. Bits behind the prefix count for
 * nothing. */
bool network_parse(struct str text, struct network *out);
bool network_has(const struct network *network, const struct address *address);

/* The network that an address is in, with nothing behind its prefix; false for one that is no IP
 * address. */
bool network_of(const struct address *address, unsigned v4_bits, unsigned v6_bits,
                struct network *out);

/* As network_parse() reads it; an address alone without its prefix. */
void network_text(const struct network *network, char to[static NETWORK_TEXT_SIZE]);

/* False when `text` is none of these, or has bits behind its prefix: "10.0.0.1/8" is a slip. */
bool network_valid(struct str text);
bool networks_valid(struct str list);           /* with commas, and spaces if one likes, between */

/* Whether one of the networks in `list` has the address. What is not valid has none. */
bool networks_contain(struct str list, const struct address *address);

/* "allow NETWORK", "deny NETWORK", or either with "all", which has every peer, Unix sockets too. */
bool network_rule_valid(struct str rule);

/* By rules with line ends between them: the first that has the address decides; none, and it is
 * denied. */
bool network_rules_allow(struct str rules, const struct address *address);

#endif
