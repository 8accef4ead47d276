/* A client as the files of this room see it. Elsewhere it is opaque. */
#ifndef LINNET_CLIENT_CLIENT_INTERNAL_H
#define LINNET_CLIENT_CLIENT_INTERNAL_H

#include "base/buffer.h"
#include "base/log.h"
#include "client/alias.h"
#include "client/asking.h"
#include "client/client.h"
#include "client/keepalive.h"
#include "client/limiter.h"
#include "client/output.h"
#include "client/reply.h"
#include "core/session.h"
#include "mqtt/decode.h"

enum client_state {
        CLIENT_WAITING,         /* accepted; the CONNECT has not come */
        CLIENT_AUTHENTICATING,  /* CONNECT is with the authenticators */
        CLIENT_CONNECTED,
        CLIENT_CLOSING,         /* writing what is left, draining what comes */
        CLIENT_CLOSED,          /* gone at the end of the turn */
        CLIENT_STATES
};

/* Why a client is not read; bits. */
enum client_pause {
        PAUSED_BY_ACCESS = 1,   /* an answer is awaited */
        PAUSED_BY_RATE   = 2,   /* it has sent more than it may */
        PAUSED_BY_STORE  = 4,   /* what CONNACK says of its session is not safe yet */
        PAUSED_BY_DELAY  = 16,  /* it hears later that it is refused: c->reason, c->why */
        PAUSED_BY_MEMORY = 8,   /* it has published while there was little left */
};

enum {
        CLIENT_MAGIC      = 0x0c11e47a,
        CLIENT_STAYS      = UINT32_MAX & 0x7fffffff,    /* move_to: nowhere */
        CLIENT_LINGER_MS  = 1000,       /* for a DISCONNECT to arrive before the reset */
        SCRATCH_BYTES     = 262144,     /* any packet but PUBLISH that a server sends */
        REFUSALS_LOGGED   = 10,         /* a second, shard and kind */
        EXPIRY_LOOK_MS    = 60000,      /* between two looks at the wall clock */
        TURNED_AWAY_MAX   = 64,         /* of a shard: they may hear why, at their CONNECT */
        TURNED_AWAY_MS    = 2000,       /* for that CONNECT */
        HELD_BACK_MS      = 5,          /* between two looks whether the pressure is gone */
};

/* What the log says of refusals: each kind has a budget, so that a flood of one hides no other. */
enum refusal_kind { REFUSED_CONNECTION, REFUSED_STRANGER, REFUSED_CLIENT, REFUSED_PACKET,
                    REFUSED_ACCESS, REFUSED_LATE, REFUSAL_KINDS };

struct client_manager {
        struct shard      *shard;
        struct list        clients;
        uint32_t           count;
        bool               draining;    /* takes no new ones */
        struct list        held_back;   /* clients that had bytes while a shard was behind */
        struct timer       relief;      /* set while there are any */
        struct list        slowed;      /* clients that are paused by memory */
        struct timer       slow;        /* set while there are any */
        struct output_pool pool;
        struct slab        slab;        /* of clients */
        struct slab        askings;
        struct log_limit   refusals[REFUSAL_KINDS];
        struct buffer      mounted;     /* the last topic that a mountpoint was put before */
        uint32_t           turned_away; /* clients that are here to hear why not */
        char              *read_buffer; /* READ_BUFFER_BYTES; owned */
        char              *scratch;     /* SCRATCH_BYTES: packets are encoded here; owned */
};

/* What the access chain has allowed ends at a certain time. */
struct term {
        struct timer   timer;
        struct client *client;
        uint64_t       until_us;        /* wall clock */
};

struct client {
        uint32_t                magic;
        enum client_state       state;
        struct client_manager  *manager;
        struct shard           *shard;
        struct client_listener *listener;
        struct transport       *transport;      /* owned; NULL once it was mailed */
        struct list             in_manager;
        struct list             in_held_back;   /* not read: a shard does not keep up */
        struct list             in_slowed;      /* not read: memory is short */
        struct watch            watch;
        struct output           output;
        struct replies          replies;        /* acknowledgements that wait */
        struct receipt         *welcome;        /* for CONNACK, which waits in `output`; or NULL */
        struct buffer           unread;         /* an incomplete packet, or what waits */
        struct chore            turn_end;       /* writes, or ends the client */
        struct chore            proceed;        /* goes on with what is unread */
        struct timer            timer;          /* for CONNECT, keep alive or the end, by state */
        struct term            *term;           /* owned; NULL: its rights have no end of theirs */
        uint64_t                accepted_ms;
        uint64_t                ticket;         /* of its admission */
        bool                    admitted;       /* its address was looked at */
        bool                    turned_away;    /* not admitted: hears `reason`, and goes */

        /* the packet in hand */
        struct frame            frame;
        struct str              body;
        struct asking          *asking;         /* owned; NULL while it asks nothing */
        struct access_note     *notes;          /* meanwhile; owned */
        const char             *gone;           /* all it sent is in `unread`, and why; or NULL */
        uint8_t                 paused;         /* enum client_pause: reads nothing */
        bool                    blocked;        /* the transport takes no more just now */
        bool                    shut;           /* no more is written */
        bool                    closed;         /* the peer's side: nothing is written to it */
        bool                    pumping;        /* the session goes on in `proceed` */
        unsigned                move_to;        /* its home; CLIENT_STAYS */

        /* what CONNECT said */
        enum mqtt_version       version;
        bool                    clean_start;
        bool                    problem_info;   /* it wants reason strings */
        bool                    superuser;
        bool                    identified;     /* the username is the transport's */
        bool                    reauthenticating;
        bool                    auth_failed;    /* the access chain has refused it, which is told */
        bool                    assigned;       /* the server made up its identifier */
        bool                    will_asked;     /* the end is to publish the will */
        bool                    was_connected;  /* its end is told */
        uint16_t                keep_alive_s;
        uint32_t                session_expiry_s;
        uint32_t                packet_bytes_max;       /* towards the client */
        struct str              client_id;      /* owned */
        struct str              username;       /* owned */
        struct str              mount;          /* owned; its mountpoint, ptr NULL: none */
        struct str              auth_method;    /* owned; ptr NULL: none */
        struct alias_table      aliases;
        struct keepalive        keepalive;
        struct peer             peer;
        struct limiter         *limiter;        /* owned; NULL: no limits */
        enum durability         durability;     /* of what it publishes, and of its session */

        enum reason             reason;         /* of its end */
        const char             *why;
        uint32_t                linger_ms;
};

/* One connection less of the listener's. */
static inline void client_uncount(struct client_listener *listener)
{
        atomic_fetch_sub_explicit(&client_listener_root(listener)->connections, 1,
                                  memory_order_relaxed);
}

static inline uint64_t client_now_ms(const struct client *c) ON_SHARD;
static inline uint64_t client_now_ms(const struct client *c)
{
        return c->shard->loop.now.mono_ms;
}

/* Nobody listens, so that its silence says nothing. */
static inline bool client_unheard(const struct client *c)
{
        return c->paused || list_linked(&c->in_held_back);
}

/* Not behind its end, so nothing behind a CONNECT that was refused [MQTT3-3.1.4-5]
 * [MQTT5-3.1.4-6]. */
static inline bool client_reads(const struct client *c)
{
        return c->state < CLIENT_CLOSING && !c->paused && c->move_to == CLIENT_STAYS;
}

/* Takes the transport; NULL when it could not be. Was admitted, but for who is turned away. */
struct client *client_begin(struct client_manager *manager, struct transport *transport,
                            struct client_listener *listener, uint64_t accepted_ms) ON_SHARD;
void client_free(struct client *c) ON_SHARD;

/* With the first bytes, which may have told another address than the socket's. False: nobody may
 * connect from there, and the client is lost. */
bool client_learn_address(struct client *c) ON_SHARD;

/* Until what it has to do next must be done: tell its address, shake hands, send its CONNECT. */
uint64_t client_beginning_left_ms(const struct client *c) ON_SHARD;

/* That time is over: was it done, there is some for the next part; else the client ends. */
void client_look_at_beginning(struct client *c) ON_SHARD;

void client_enter(struct client *c, enum client_state state);

/* Ends it, without a word to it. What waits is still written. The rest happens at the turn's end,
 * so that the session may call from within. */
void client_close(struct client *c, enum reason reason, const char *why) ON_SHARD;
void client_lost(struct client *c, const char *why) ON_SHARD;  /* nothing can be written */

/* Tells a v5 client the reason (CONNACK or DISCONNECT), and ends it. */
void client_fail(struct client *c, enum reason reason, const char *why) ON_SHARD;

/* The same, and the packet in hand was to blame. */
void client_refuse_packet(struct client *c, enum reason reason, const char *why) ON_SHARD;

/* Whether a warning of that kind is within its budget: a peer could cause it at will. */
bool client_may_log(struct client_manager *manager, enum refusal_kind kind,
                    uint32_t *skipped) ON_SHARD;
void client_log_connection(struct client *c, enum reason reason, const char *why) ON_SHARD;

void client_shut(struct client *c) ON_SHARD;            /* no more is written; says why it ends */
void client_leave_session(struct client *c) ON_SHARD;   /* never from within a session's call */
void client_dirty(struct client *c) ON_SHARD;           /* has output: written at the turn's end */
void client_pause(struct client *c, enum client_pause why) ON_SHARD;
void client_go_on(struct client *c, enum client_pause why) ON_SHARD;    /* that is over */
void client_pump(struct client *c) ON_SHARD;            /* its session may send again, soon */

/* What the access chain said of a client that it let in: may it all, and until when. False: it is
 * lost, for want of memory. */
bool client_allowed(struct client *c) ON_SHARD;
void client_end_term(struct client *c) ON_SHARD;        /* its rights have no end of theirs */

/* True: a shard does not keep up with its mail, and the client is not read until it does. */
bool client_hold_back(struct client *c) ON_SHARD;
void client_slow_down(struct client *c) ON_SHARD;       /* it has published, and memory is short */
void client_heard_again(struct client *c) ON_SHARD;     /* out of the list of those held back */

enum hook_result client_hook(struct client *c, enum hook_point point, struct str topic,
                             enum reason reason) ON_SHARD;

/* Mails the client with its unread bytes to its home shard. */
void client_move(struct client *c, struct str unread) ON_SHARD;

void client_log(struct client *c, enum log_level level, const char *event) ON_SHARD;

#endif
