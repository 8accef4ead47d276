/* One seed of the simulator: a broker in memory, clients that act at random, and what each of them
 * must have seen. Everything follows from the seed. */
#ifndef LINNET_SIM_SIM_H
#define LINNET_SIM_SIM_H

#include "base/buffer.h"
#include "base/random.h"
#include "harness/world.h"
#include "mqtt/packet.h"

enum {
        CLIENTS_MAX = 20, MESSAGES_MAX = 2048, OUT_MAX = 16, ACKS_MAX = 4096, TOPICS = 6,
        FILTERS = 8, IDS = 65536, WHY_SIZE = 256
};

/* What was published once, by whom; `index` in sim.messages is in its payload. */
struct message_sent {
        unsigned publisher, seq, topic;
        uint8_t  qos;
        bool     acked;                         /* PUBACK or PUBREC was read */
        bool     resent;                        /* by its publisher, after a new connection */
        unsigned shared_to;                     /* the session that got it, by serial; 0: none */
};

struct subscribed {
        bool     active;                        /* SUBACK was read, no UNSUBSCRIBE sent since */
        uint8_t  qos, asked;
        uint16_t asked_id;                      /* of the SUBSCRIBE that waits; 0: none */
};

/* What a client and the checkers know of one session; emptied when the broker made a new one. */
struct record {
        unsigned          serial;
        struct subscribed filters[FILTERS];
        bool              must[MESSAGES_MAX];   /* to be received if it is acknowledged */
        uint8_t           got[MESSAGES_MAX];
        unsigned          last[CLIENTS_MAX][TOPICS][3][3]; /* sequence; published, delivered QoS */
        uint16_t          held[IDS];            /* message + 1 of packet ids not acknowledged */
};

struct outgoing {
        uint16_t id;
        unsigned message;
        bool     released;                      /* PUBREC was read */
};

struct queued_ack {
        enum packet_type type;
        uint16_t         id;
};

struct sim_client {
        unsigned          index, seq;
        char              name[16];
        enum mqtt_version version;
        bool              durable, known;       /* known: a session should be there */
        struct transport *end;                  /* NULL: not connected */
        struct buffer     unread;
        bool              closed, connacked, present;
        uint16_t          last_id;
        struct outgoing   out[OUT_MAX];
        unsigned          out_count;
        struct queued_ack acks[ACKS_MAX];
        unsigned          ack_count;
        struct record     record;
};

struct sim {
        struct random       random;
        struct world       *world;
        struct sim_client  *clients;
        unsigned            count, step, serials;
        struct message_sent messages[MESSAGES_MAX];
        unsigned            message_count;
        char                why[WHY_SIZE];      /* empty: nothing failed */
};

extern const char *const sim_topics[TOPICS];
extern const char *const sim_filters[FILTERS];

/* The first failure is kept. Always false. */
__attribute__((format(printf, 2, 3)))
bool sim_fail(struct sim *sim, const char *format, ...);
bool sim_run(struct sim *sim);

/* client.c: what a client does. False when the seed failed. */
bool client_connect(struct sim *sim, struct sim_client *client, bool clean);
void client_cut(struct sim_client *client);
bool client_disconnect(struct sim *sim, struct sim_client *client);
bool client_publish(struct sim *sim, struct sim_client *client, bool half);
bool client_subscribe(struct sim *sim, struct sim_client *client, bool away);
bool client_flush(struct sim *sim, struct sim_client *client, unsigned count);
bool client_read(struct sim *sim, struct sim_client *client, unsigned *packets);

/* check.c: what must be so. */
void check_new_session(struct sim *sim, struct sim_client *client);
void check_published(struct sim *sim, unsigned message);
void check_forget(struct sim *sim, struct sim_client *client, unsigned filter);
bool check_publish(struct sim *sim, struct sim_client *client, const struct publish_packet *in);
bool check_end(struct sim *sim);

#endif
