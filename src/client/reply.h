/* Acknowledgements that wait until what they acknowledge is safe. They leave in the order in which
 * they were asked for, so one that is ready waits behind one that is not; packets that acknowledge
 * nothing pass them by. */
#ifndef LINNET_CLIENT_REPLY_H
#define LINNET_CLIENT_REPLY_H

#include "base/list.h"
#include "core/receipt.h"
#include "mqtt/packet.h"

enum { REPLIES_MAX = 65535 };           /* beyond it the client is not read */

struct client;

struct replies {
        struct list waiting;
        uint32_t    count;
        uint32_t    pubacks;            /* of them */
};

struct reply;

void replies_init(struct replies *replies);
void replies_drop(struct client *c) ON_SHARD;   /* the client is gone: nobody waits any more */

/* An acknowledgement, sent at once if it is the only one and `ready`. Else the reply, to be handed
 * to whoever will say reply_ready(); NULL when it was sent, or could not be kept (the client is
 * lost then). */
struct reply *reply_ack(struct client *c, enum packet_type type, uint16_t packet_id,
                        enum reason reason, bool ready) ON_SHARD;
struct reply *reply_suback(struct client *c, enum packet_type type,
                           const struct suback_packet *suback, bool ready) ON_SHARD;

/* The receipt that it waits for. */
void reply_waits(struct reply *reply, struct receipt *receipt) ON_SHARD;

#endif
