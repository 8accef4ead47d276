/* The address of a peer or of a listener: IPv4, IPv6, or that it is a Unix socket, or memory. */
#ifndef LINNET_NET_ADDRESS_H
#define LINNET_NET_ADDRESS_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/str.h"

struct address {
        union {
                struct sockaddr     any;
                struct sockaddr_in  v4;
                struct sockaddr_in6 v6;
        };
};

enum { ADDRESS_TEXT_SIZE = 64 };        /* with the NUL */

/* "PORT", "HOST:PORT", "[V6]:PORT", ":PORT" or "*:PORT": numbers only, no look-up. A bare port and
 * "*" mean dual-stack [::]. False when it is none of these. */
bool address_parse(struct str text, struct address *out);

/* An IP address alone, IPv6 without brackets; the port is 0. */
bool address_parse_ip(struct str text, struct address *out);

bool address_parse_port(struct str text, in_port_t *out);       /* digits, into network order */

/* "10.0.0.7:51324", "[::1]:1883"; a v4-mapped address is shown as v4. */
void address_text(const struct address *address, char to[static ADDRESS_TEXT_SIZE]);
void address_ip_text(const struct address *address, char to[static ADDRESS_TEXT_SIZE]);

uint16_t  address_port(const struct address *address);
/* 127/8, ::1, the v4-mapped ones, and a Unix socket. */
bool      address_is_loopback(const struct address *address);
socklen_t address_len(const struct address *address);

#endif
