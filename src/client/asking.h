/* What a client has with the access chain while it has something: its question, the packet that
 * waits for the answer, the verdicts so far.
 *
 * It comes from a slab of the client manager with the first question, and goes when the packets in
 * hand are handled: who is idle has none. What providers know of the client (its notes) moves into
 * the request, and back to the client. */
#ifndef LINNET_CLIENT_ASKING_H
#define LINNET_CLIENT_ASKING_H

#include "base/buffer.h"
#include "core/access.h"
#include "mqtt/decode.h"

struct client;

struct asking {
        struct access_request request;
        struct buffer         text;             /* of the request's strings what a packet brought */
        struct buffer         verdicts;         /* on the packet's topics so far: 0 or the reason */
        uint32_t              verdicts_epoch;   /* of the rules that they are by */
        struct frame          frame;            /* of the packet that waits */
        char                 *body;             /* its bytes, owned; NULL: none waits */
        char                  address[ACCESS_ADDRESS_SIZE];
};

/* c->asking is there from now on; false without memory. */
bool asking_begin(struct client *c) ON_SHARD;

/* The packets in hand are handled: what nobody waits for goes. */
void asking_end(struct client *c) ON_SHARD;
void asking_drop(struct client *c) ON_SHARD;    /* the client goes: nobody waits any more */

/* Who it is, into a request; its address goes to `address`. */
void asking_identify(struct client *c, struct access_request *request,
                     char address[static ACCESS_ADDRESS_SIZE]) ON_SHARD;

/* Where the notes are. */
struct access_note **asking_notes(struct client *c) ON_SHARD;

#endif
