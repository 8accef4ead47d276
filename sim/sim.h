/* One seed of the simulator: a broker in memory, a scheduler that turns its shards at random,
 * clients that act at random, and what each of them must have seen. Everything follows from the
 * seed. */
#ifndef LINNET_SIM_SIM_H
#define LINNET_SIM_SIM_H

#include "base/buffer.h"
#include "base/hash.h"
#include "base/random.h"
#include "harness/world.h"
#include "mqtt/packet.h"

#define NEVER     UINT64_MAX    /* a time that has not come, or will not */
#define FOREVER_S UINT32_MAX    /* an expiry that there is not */

enum {
        CLIENTS_MAX = 20, MESSAGES_MAX = 2048, CONNECTIONS_MAX = 4096, OUT_MAX = 16, OPEN_MAX = 64,
        ACKS_MAX = 4096, TOPICS = 6, FILTERS = 8, ACTS_MAX = 24, IDS = 65536, PACKET_BYTES = 1024,
        WHY_SIZE = 256, SHARDS_DRAWN = 4, LAWS_MAX = 64
};

/* What a seed draws before it begins; percents are of the cases in which there is a choice. */
struct mix {
        enum durability durability;                     /* MEMORY: nothing is stored */
        unsigned restarts;                              /* at most */
        unsigned shards, clients;                       /* shards: a restart may bring others */
        unsigned v5_percent, durable_percent, short_percent; /* short: sessions that expire */
        unsigned will_percent, keep_alive_percent;
        unsigned retain_percent, expiring_percent;      /* of what is published */
        unsigned starve_percent, tick_percent, tick_ms; /* of turns */
        unsigned half_percent;                          /* packets written in pieces */
        unsigned ids;                                   /* of what clients send, up to this one */
        unsigned law_percent;                           /* of rights that are not all; 0: no law */
        unsigned late_percent, never_percent;           /* of answers of the access chain */
        unsigned crowd;                                 /* connections at most; 0: no limit */
        struct rate connect_rate;
        uint32_t v3_expiry_s, receive_maximum;          /* the largest; 0: none */
        unsigned weights[ACTS_MAX];                     /* of what clients do */
};

enum ending { ENDING_NONE, ENDING_CUT, ENDING_CLEAN, ENDING_TAKEN, ENDING_CLOSED, ENDING_CRASH };

/* What each client may read and write: a bit for each topic. */
struct law {
        uint8_t reads[CLIENTS_MAX], writes[CLIENTS_MAX];
};

/* Something was done by one of these laws, the last included. */
struct law_span {
        unsigned from, to;
};

/* What is known of one connection that has sent its whole CONNECT, as its client knows it. */
struct connection {
        struct connection *before, *next; /* of the same client; NULL: none */
        unsigned           client;
        bool               clean;
        uint32_t           expiry_s; /* of its session, from its end on */
        uint16_t           keep_alive_s;
        uint32_t           receive_maximum;             /* 0: none said */
        uint32_t           window; /* QoS 1 and 2 that it may have open at once */
        bool               has_will;
        uint8_t            will_qos;
        uint32_t           will_delay_s;
        uint64_t           connect_ms, connack_ms;
        uint64_t           written_ms; /* the last byte */
        uint64_t           heard_ms;   /* and when the broker had certainly read it */
        enum ending        ending;
        uint64_t           end_ms;   /* it ended then */
        uint64_t           gone_ms;  /* and the broker knows since then at the latest */
        bool               raced;    /* the next one came before the broker knew */
        bool               expired;  /* its session has ended for certain */
        bool               will_due; /* its will has been published for certain */
        unsigned           wills;    /* how often it was received */
        unsigned           restarts; /* sim.restarts when it began */
        bool               settled;  /* its end is stored for certain */
        bool               safe;     /* its CONNECT is stored for certain, if it is kept */
        bool               undone;   /* a crash may have undone it, or the one behind it */
        bool               finite;   /* then: its session may not live for ever */
        bool               unsure;   /* undone, or whether its will is still due */
        bool               refusable; /* the store could not write meanwhile, or memory was short */
        bool               revocable; /* until all is at rest it may be closed for a right it has
                                       * not any more */
        bool               revoked;   /* it may have been, at any time */
};

/* What was published once, by whom; `index` in sim.messages is in its payload. */
struct message_sent {
        unsigned           publisher, seq, topic;
        uint8_t            qos;
        bool               done;           /* the broker has had it for certain */
        bool               resent;         /* by its publisher, after a new connection */
        bool               wavering;       /* and may have been refused before */
        bool               retain, clears; /* clears: it has no payload */
        bool               closed;         /* the broker will not get it (again) */
        bool               lost;           /* with the broker that had it */
        bool               shaky;          /* relaxed: acknowledged, and perhaps not yet kept */
        unsigned           start_settle, closed_settle; /* sim.settles at the time */
        unsigned           restarts;                    /* sim.restarts when it was first sent */
        unsigned           session;                     /* of its publisher, by serial */
        uint32_t           expiry_s;                    /* of itself */
        uint64_t           start_ms;
        uint64_t           latest_ms; /* the broker had it then, if ever */
        struct law_span    law;       /* by which it was published */
        bool               doubtful;  /* it may have been refused without a word */
        unsigned           shared_to; /* the session that got it, by serial; 0: none */
        struct connection *link;
};

struct subscribed {
        bool     active; /* SUBACK was read, no UNSUBSCRIBE sent since */
        uint8_t  qos, asked;
        uint16_t asked_id; /* of the SUBSCRIBE that waits; 0: none */
        uint16_t gone_id;  /* of the UNSUBSCRIBE that waits; 0: none */
        unsigned asked_law; /* the oldest by which it may have been granted */
        unsigned none_from; /* messages from this one on cannot come by it */
};

/* What a client and the checkers know of one session; emptied when the broker made a new one. */
struct knowledge {
        unsigned          serial;
        bool              safe;  /* a crash leaves it, if it is kept at all */
        bool              vague; /* a crash has changed it in ways that nobody knows */
        struct subscribed filters[FILTERS];
        bool              must[MESSAGES_MAX]; /* to be received if it is done */
        uint8_t           got[MESSAGES_MAX];
        bool              exact[MESSAGES_MAX]; /* got at QoS 2 */
        unsigned          last[CLIENTS_MAX][TOPICS][3][3]; /* token; published, delivered QoS */
        uint16_t          held[IDS]; /* token of packet ids not acknowledged; 0: none */
        uint8_t           held_qos[IDS];
};

struct outgoing {
        uint16_t id;
        unsigned message;
        bool     released; /* PUBREC was read */
};

struct queued_ack {
        enum packet_type type;
        uint16_t         id;
};

enum sim_role {
        ROLE_ACTOR,   /* acts at random */
        ROLE_WATCHER, /* never goes, gets the wills */
        ROLE_READER,  /* comes to look at what is retained */
};

struct sim_client {
        unsigned           index, seq;
        enum sim_role      role;
        char               name[16];
        enum mqtt_version  version;
        bool               durable;
        unsigned           asleep;            /* until this step it does nothing */
        struct connection *link;              /* the last one; NULL: none that counts */
        struct transport  *end, *old;         /* NULL: not connected; old: to be taken over */
        struct buffer      unread, arrivals;  /* arrivals: of struct arrival */
        uint64_t           arrived, consumed; /* bytes */
        uint64_t           at_ms;             /* the packet in hand arrived */
        struct law_span    at_law;            /* and was sent by */
        bool               closed, connacked, present, resending;
        uint16_t           last_id;
        struct outgoing    out[OUT_MAX];
        unsigned           out_count;
        struct queued_ack  acks[ACKS_MAX];
        unsigned           ack_count, pings;
        uint16_t           open[OPEN_MAX]; /* ids that count in the window */
        unsigned           open_count;
        struct knowledge    record;
};

struct sim {
        uint64_t            seed;
        struct random       random;
        struct mix          mix;
        struct settings     settings;
        struct vault       *vault;              /* outlives the worlds */
        struct world       *world;
        struct sim_client  *clients; /* mix.clients actors, the watcher, the reader */
        struct sim_client  *watcher, *reader;
        unsigned            step, steps, serials, settles, restarts;
        const char         *act;                /* the last one */
        bool                watching;           /* the watcher has its subscription */
        bool                faulty;             /* the store may not have been able to write */
        bool                squeezed;           /* memory may have been short */
        struct law          laws[LAWS_MAX];
        unsigned            law, law_settled;   /* the last one; the one that all shards go by */
        unsigned            law_of[SHARDS_DRAWN], owed;         /* owed: answers */
        struct client_listener lounge;          /* of the watcher and the reader: has no limits */
        unsigned            starved, starved_turns;
        struct connection  *connections;
        unsigned            connection_count;
        struct message_sent messages[MESSAGES_MAX];
        unsigned            message_count;
        unsigned            seen[TOPICS]; /* the reader's tokens */
        unsigned            missing;      /* excused if the broker says it has dropped them */
        uint64_t            dropped;      /* by brokers that are gone */
        struct hash_key     trace;
        char                why[WHY_SIZE]; /* empty: nothing failed */
};

extern const char *const sim_topics[TOPICS];
extern const char *const sim_filters[FILTERS];

static inline bool sim_keeps(const struct sim *sim)
{
        return sim->mix.durability != DURABILITY_MEMORY;
}

/* Queues have bounds: what is beyond is dropped, and counted. */
static inline bool sim_drops(const struct sim *sim)
{
        return sim->settings.mqueue_max_length > 0 || sim->settings.mqueue_max_bytes > 0;
}

static inline bool sim_relaxed(const struct sim *sim)
{
        return sim->mix.durability == DURABILITY_RELAXED;
}

/* The first failure is kept. Always false. */
__attribute__((format(printf, 2, 3))) bool sim_fail(struct sim *sim, const char *format, ...);

static inline bool sim_chance(struct sim *sim, unsigned percent)
{
        return random_below(&sim->random, 100) < percent;
}

static inline uint64_t sim_now(const struct sim *sim)
{
        return sim->world->now.mono_ms;
}

/* `seconds` behind a time. */
static inline uint64_t sim_after(uint64_t ms, uint32_t seconds)
{
        return ms == NEVER || seconds == FOREVER_S ? NEVER : ms + seconds * 1000ull;
}

/* mix.c: what the seed draws. */
void mix_draw(struct sim *sim);

/* schedule.c: who turns when. All return false when the seed failed. */
void sim_trace(struct sim *sim, uint64_t kind, struct str bytes);
bool sim_tick(struct sim *sim, uint64_t ms);
bool sim_turns(struct sim *sim, unsigned count);
bool sim_settle(struct sim *sim); /* until nothing is left to do, and all is stored */

/* act.c: what a seed does. */
bool     sim_start(struct sim *sim); /* a broker, the watcher */
void     sim_stop(struct sim *sim);
bool     sim_act(struct sim *sim);
bool     sim_finish(struct sim *sim);
unsigned act_count(void);
unsigned act_weight(unsigned act); /* the usual one */

/* crash.c: the store fails, the broker dies and another one goes on with what is left. */
bool begin_world(struct sim *sim, uint64_t start_ms);
bool act_restart(struct sim *sim, struct sim_client *client);
bool act_fault(struct sim *sim, struct sim_client *client);
void end_fault(struct sim *sim);

/* law.c: who may do what, and the one on the access chain who says so. */
bool            law_begin(struct broker *broker, void *context);
void            law_draw(struct sim *sim);
bool            law_end(struct sim *sim);
bool            act_reform(struct sim *sim, struct sim_client *client);
struct law_span law_now(const struct sim *sim); /* by which a shard may act */
bool            law_ever(const struct sim *sim, struct law_span span, unsigned client,
                         unsigned topic, enum access_kind kind);
bool            law_always(const struct sim *sim, struct law_span span, unsigned client,
                           unsigned topic, enum access_kind kind);
bool            law_ever_denies(const struct sim *sim, struct law_span span, unsigned client,
                                unsigned filter);
bool            law_always_denies(const struct sim *sim, struct law_span span, unsigned client,
                                  unsigned filter);

/* check_law.c: who got what it may have, and who was refused what it may not. */
void check_reformed(struct sim *sim);
bool check_reads(struct sim *sim, const struct sim_client *client,
                 const struct publish_packet *in, unsigned message);
void check_asks(struct sim *sim, struct sim_client *client, unsigned message);
void check_asks_for(struct sim *sim, struct sim_client *client, unsigned filter);
bool check_answer(struct sim *sim, struct sim_client *client, unsigned message,
                  enum reason reason);
bool check_grant(struct sim *sim, struct sim_client *client, unsigned filter,
                 enum reason reason);
bool check_surely(const struct sim *sim, const struct message_sent *sent);
void check_settled_law(struct sim *sim);

/* wire.c: a client's end of its connection. */
bool wire_arrive(struct sim *sim, struct sim_client *client);
bool wire_write(struct sim *sim, struct sim_client *client, const char *bytes, size_t size);
bool wire_next(struct sim_client *client, struct str *packet);
void wire_consume(struct sim_client *client, size_t size);
void wire_reset(struct sim_client *client);

/* client.c: what a client does. False when the seed failed. */
bool client_connect(struct sim *sim, struct sim_client *client, bool clean);
bool client_half_connect(struct sim *sim, struct sim_client *client);
void client_cut(struct sim *sim, struct sim_client *client);
bool client_disconnect(struct sim *sim, struct sim_client *client, enum reason reason, bool ends);
bool client_publish(struct sim *sim, struct sim_client *client, bool half);
bool client_subscribe(struct sim *sim, struct sim_client *client, unsigned filter, bool away);
bool client_subscribe_to(struct sim *sim, struct sim_client *client, const char *filter,
                         uint8_t qos);
bool client_clear(struct sim *sim, struct sim_client *client, unsigned topic);
bool client_ping(struct sim *sim, struct sim_client *client);
bool client_flush(struct sim *sim, struct sim_client *client, unsigned count);
bool client_resend(struct sim *sim, struct sim_client *client);

/* receive.c: what it gets. *moved counts packets. */
bool client_read(struct sim *sim, struct sim_client *client, unsigned *moved);

/* check_message.c: messages reach who must have them, in order, no more often than they may. */
void check_new_session(struct sim *sim, struct sim_client *client);
void check_published(struct sim *sim, unsigned message);
void check_forget(struct sim *sim, struct sim_client *client, unsigned filter);
bool check_publish(struct sim *sim, struct sim_client *client, const struct publish_packet *in);
void check_settled_messages(struct sim *sim);
void check_crashed_messages(struct sim *sim);
bool check_messages(struct sim *sim);
bool check_missing(struct sim *sim);

/* check_window.c: packet ids and how many are open. */
bool check_opened(struct sim *sim, struct sim_client *client, uint16_t id);
void check_closed_id(struct sim_client *client, uint16_t id);

/* check_life.c: connections, sessions and wills live as long as they should. */
struct connection *check_connecting(struct sim *sim, struct sim_client *client);
bool               check_connected(struct sim *sim, struct sim_client *client);
bool               check_hung_up(struct sim *sim, struct sim_client *client);
bool               check_turned_away(struct sim *sim, struct sim_client *client);
void               check_ending(struct sim *sim, struct sim_client *client, enum ending ending);
bool               check_will(struct sim *sim, const struct publish_packet *in);
void               check_safe(struct sim *sim, struct sim_client *client);
void               check_welcome(struct sim *sim, struct sim_client *client);
void               check_crashed_life(struct sim *sim);
bool               check_settled_life(struct sim *sim);

/* check_retained.c: what the reader must find. */
bool check_seen(struct sim *sim, const struct publish_packet *in, unsigned token);
bool check_retained(struct sim *sim);

/* check_vault.c: what is stored fits together, and nothing is left when nobody is. */
bool check_vault(struct sim *sim, bool empty);

/* check_gauges.c: what the broker says of itself when everybody has gone. */
uint64_t check_dropped(const struct sim *sim);
bool     check_gauges(struct sim *sim);

#endif
