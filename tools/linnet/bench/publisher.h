/* What a publishing link sends, and when: at a rate it follows its schedule, whatever the broker
 * does, and each message bears the time it was due; at full speed a window bounds what is between
 * publishing and delivery, at QoS 0 too. */
#ifndef LINNET_TOOLS_LINNET_BENCH_PUBLISHER_H
#define LINNET_TOOLS_LINNET_BENCH_PUBLISHER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "mqtt/packet.h"

struct link;

struct publisher {
        struct list ready;              /* in its worker's list */
        char       *topic;              /* owned; room for any number in it: */
        size_t      topic_size;
        uint64_t    quota;              /* messages to send in all */
        uint64_t    sent;
        uint64_t    acked;
        uint64_t    expected;           /* deliveries of what was sent */
        uint64_t    written_off;        /* of those: taken for lost, so that the window opens */
        uint64_t    seen_delivered;     /* at the last look, and since when it is so: */
        uint64_t    seen_us;
        uint32_t    window;             /* of the broker and of ours; 0: none */
        uint64_t   *sent_us;            /* [2 x window] by packet id, where acks are timed; owned */
};

void publisher_restart(struct link *link);      /* its messages once more, for a new stage */

bool publisher_init(struct link *link);         /* false without memory */
void publisher_deinit(struct link *link);

/* The broker has accepted it, and takes so many unacknowledged messages. */
bool publisher_connected(struct link *link, uint16_t receive_maximum);

/* Sends what it may and must now. */
void publisher_turn(struct link *link, uint64_t now_us);

/* When its next message is due by the schedule of `rate`; of round `round`, it is this: */
uint64_t publisher_due(const struct link *link, uint64_t round);

void publisher_acked(struct link *link, const struct packet *packet, uint64_t now_us);

/* Nothing has come of what is under way for --lost-timeout: it is lost. */
void publisher_look(struct link *link, uint64_t now_us);

#endif
