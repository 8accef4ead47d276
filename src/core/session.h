/* What the broker keeps of a client (emqttd_session): subscriptions, what is in flight both ways,
 * what waits.
 *
 *      dispatch -> | mqueue: waits | -> | inflight: sent, not acknowledged | -> peer
 *
 * QoS 0 goes straight to a peer that is bound. A session lives on the home shard of its client
 * identifier, with its peer; it outlives the peer by its expiry interval.
 */
#ifndef LINNET_CORE_SESSION_H
#define LINNET_CORE_SESSION_H

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "base/map.h"
#include "core/awaiting_rel.h"
#include "core/inflight.h"
#include "core/journal.h"
#include "core/mqueue.h"
#include "core/peer.h"
#include "core/shard.h"
#include "core/subscription.h"

#define SESSION_NEVER_EXPIRES UINT32_MAX

enum { SESSION_MAGIC = 0x5e551041 };

struct record;
struct record_delivery;
struct record_session;

struct session {
        uint32_t            magic;
        uint32_t            expiry_s;           /* after its client went; SESSION_NEVER_EXPIRES */
        struct shard       *shard;
        struct peer        *peer;               /* NULL while nobody is connected */
        struct str          client_id;          /* owned */
        struct str          username;           /* owned */
        uint64_t            from;               /* hash of the client id */
        uint64_t            serial;             /* tells it from earlier ones of that client id */
        struct map          subscriptions;      /* name -> struct subscription */
        struct inflight     inflight;
        struct mqueue       mqueue;
        struct awaiting_rel awaiting_rel;
        struct kept         kept;               /* its record (core/journal) */
        uint64_t            disconnected_us;    /* wall clock; 0: connected */
        struct list         receipts;           /* of QoS 2 messages of its own, not safe yet */
        uint64_t            held_in;            /* the journal's look that held a PUBLISH of it */
        struct list         in_spilling;        /* its queue waits to leave memory */
        struct list         in_loading;         /* some of it is on its way back */
        struct timer        timer;              /* its expiry; while it is connected, to retry */
        struct list         replays;            /* retained messages on their way (core/replay) */
        struct message     *will;               /* NULL: none */
        struct timer        will_timer;         /* the will delay */
        uint32_t            will_delay_s;
        uint32_t            marked;             /* its place in the shard's gathered deliveries */
        struct list         in_order;           /* of its shard (core/review) */
        uint32_t            epoch;              /* of the rules that it was looked at with */
        uint32_t            will_epoch;         /* of those that allowed its will; restored: 0 */
        bool                superuser;          /* its client, now or last */
        bool                granted;            /* likewise: its rights came with its credentials */
        bool                partly;             /* a subscription is allowed in part */
        bool                revoked;            /* what waits may be of subscriptions that ended */
        bool                withheld;           /* some of it was dropped, and that was told */
        bool                resumed;            /* the peer got what was in flight: live */
        bool                busy;               /* pumping: not again from within */
        uint16_t            resend_next;        /* packet id to be sent again next; 0: none */
        uint32_t            resend_left;        /* unsent entries: this peer has not got them yet */
        enum durability     durability;         /* of its client; only ever raised */
        uint64_t            created_us;
        uint64_t            mark;               /* dispatch serial in which `marked` holds */
        uint64_t            connected_serial;   /* counts clients that were bound */
};

/* Opens the session of a client identifier on its home shard: the one that is there, without its
 * old peer and will [MQTT3-3.1.2-4] [MQTT5-3.1.2-5], or a new one [MQTT5-3.1.2-6]. *present says
 * which. NULL without memory. With clean_start what is there is ended first [MQTT3-3.1.2-6]
 * [MQTT5-3.1.2-4]. An old peer is evicted with SESSION_TAKEN_OVER. */
struct session *session_open(struct shard *shard, struct str client_id, struct str username,
                             bool clean_start, bool *present) ON_SHARD;

/* NULL: there is none. Nothing but the client identifier tells sessions apart [MQTT-3.1.3-2]. */
/* A session of its own with nothing in it; NULL without memory. For session_open() and
 * session_restore(). */
struct session *session_new(struct shard *shard, struct str client_id) ON_SHARD;
bool            session_name_user(struct session *session, struct str username) ON_SHARD;

/* A restart has found it under that key; its will (may be NULL) is taken. It waits for its client
 * as long as is left of its expiry. NULL without memory, or when there is one already. */
struct session *session_restore(struct shard *shard, const struct record_session *record,
                                uint64_t key, struct message *will) ON_SHARD;

/* A restart has found a message of its queue under that key, or a PUBREL that it owed. */
bool session_restore_delivery(struct session *session, const struct record_delivery *delivery,
                              uint64_t key) ON_SHARD;

/* What it had sent, and was not acknowledged: it stays in flight under its packet id, which is
 * free. Takes the message. */
bool session_restore_sent(struct session *session, const struct record_delivery *delivery,
                          struct message *message, uint64_t key) ON_SHARD;

struct session *session_find(struct shard *shard, struct str client_id) ON_SHARD;

/* Binds the peer; session_resume(), after the CONNACK, sends again what was not acknowledged in the
 * original order [MQTT-4.4.0-1], then what waited. */
void session_bind(struct session *session, struct peer *peer) ON_SHARD;
void session_resume(struct session *session) ON_SHARD;

/* The peer is gone: keeps the session for its expiry interval, or ends it. `publish_will` false
 * drops the will. May free the session. */
void session_unbind(struct session *session, bool publish_will) ON_SHARD;

/* Ends the session now: hooks, subscriptions, will (when due), memory. Its peer must be unbound. */
void session_end(struct session *session, enum reason why) ON_SHARD;
void session_free(struct session *session) ON_SHARD;    /* without a word: teardown */

/* A message for this session: sent, queued or dropped by the rules. Takes the delivery. */
void session_deliver(struct session *session, struct delivery *delivery) ON_SHARD;

/* Acknowledgements from the peer. False: no such packet id is in flight. After session_pubrec() it
 * is the caller who sends PUBREL, found or not, unless `reason` is an error, or PUBREC_LATER says
 * that the session will. */
enum pubrec { PUBREC_UNKNOWN, PUBREC_KNOWN, PUBREC_LATER };

bool        session_puback(struct session *session, uint16_t packet_id) ON_SHARD;
enum pubrec session_pubrec(struct session *session, uint16_t packet_id,
                           enum reason reason) ON_SHARD;
bool        session_pubcomp(struct session *session, uint16_t packet_id) ON_SHARD;

/* PUBREL from the peer: its packet id is free. False: there was none. */
bool session_pubrel(struct session *session, uint16_t packet_id) ON_SHARD;

/* The session and what is in it outlives the process from now on, at that level or the one it
 * has. */
void session_keep(struct session *session, enum durability durability) ON_SHARD;

/* The journal's: the record of what is in flight under that packet id is safe. */
void session_go_on(struct session *session, uint16_t packet_id) ON_SHARD;

/* The store's: a message of the queue that is in memory again; NULL: it is not to be had. Takes the
 * reference; false: it stays where it is, without memory. session_loads_end() says that those were
 * all that were asked for. */
bool session_load(struct session *session, uint64_t key, const struct record *record,
                  struct message *message) ON_SHARD;
void session_loads_end(struct session *session) ON_SHARD;

/* Sends what waits as far as window and peer allow. */
void session_pump(struct session *session) ON_SHARD;

/* Room for one more QoS 1/2 message towards the peer. */
bool session_has_room(const struct session *session);

void session_set_will(struct session *session, struct message **will, uint32_t delay_s) ON_SHARD;

#endif
