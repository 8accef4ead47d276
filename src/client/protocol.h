/* Packets in and out of one client. */
#ifndef LINNET_CLIENT_PROTOCOL_H
#define LINNET_CLIENT_PROTOCOL_H

#include "client/client_internal.h"

/* Bytes came. */
void protocol_feed(struct client *c, struct str bytes) ON_SHARD;
void protocol_proceed(struct client *c) ON_SHARD;       /* with what is unread */

/* A verdict on a topic filter that no SUBACK can have. */
#define ALLOWED_PARTLY REASON_CONTINUE_AUTHENTICATION

struct question {
        enum access_kind kind;          /* PUBLISH or SUBSCRIBE */
        struct str       topic;
        uint8_t          qos;
        bool             retain;
};

/* Asks the access chain about the `index`th topic of the packet in hand: 0, ALLOWED_PARTLY or the
 * reason of a denial in *out. False: the answer comes later, the packet is held and will be handled
 * again. */
bool protocol_ask(struct client *c, unsigned index, const struct question *question,
                  enum reason *out) ON_SHARD;
bool protocol_hold(struct client *c) ON_SHARD;          /* false without memory */
bool protocol_keep_text(struct client *c, struct str text) ON_SHARD; /* for a request; the same */
void protocol_release(struct client *c);
void protocol_answered(struct access_request *request, enum access_verdict verdict);
bool protocol_decode_held(struct client *c, struct packet *out) ON_SHARD;

/* What a durable session's client was promised must be safe first: NULL when all of it is. The
 * reply (or NULL) then waits for it. */
struct receipt *protocol_barrier(struct client *c) ON_SHARD;
void            protocol_wait(struct reply *reply, struct receipt *receipt) ON_SHARD;

/* Handlers of packets that are valid in themselves and for the state. */
void on_connect(struct client *c, const struct packet *packet) ON_SHARD;
void on_publish(struct client *c, const struct packet *packet) ON_SHARD;
void on_puback(struct client *c, const struct packet *packet) ON_SHARD;
void on_pubrec(struct client *c, const struct packet *packet) ON_SHARD;
void on_pubrel(struct client *c, const struct packet *packet) ON_SHARD;
void on_pubcomp(struct client *c, const struct packet *packet) ON_SHARD;
void on_subscribe(struct client *c, const struct packet *packet) ON_SHARD;
void on_unsubscribe(struct client *c, const struct packet *packet) ON_SHARD;
void on_pingreq(struct client *c, const struct packet *packet) ON_SHARD;
void on_disconnect(struct client *c, const struct packet *packet) ON_SHARD;
void on_auth(struct client *c, const struct packet *packet) ON_SHARD;

/* The PUBLISH's payload is not what its format says: PAYLOAD_FORMAT_INVALID. */
void publish_refuse(struct client *c, const struct publish_packet *publish, enum reason reason,
                    const char *why) ON_SHARD;

/* The access chain's word on CONNECT or a re-authentication. */
void connect_verdict(struct client *c, enum access_verdict verdict) ON_SHARD;
void will_verdict(struct client *c, enum access_verdict verdict) ON_SHARD;      /* a part of it */
void auth_verdict(struct client *c, enum access_verdict verdict) ON_SHARD;
bool auth_identify(struct client *c) ON_SHARD;  /* takes the name it was given; false: no memory */

/* Whoever hangs on the hook (CONNECT, AUTHENTICATED) may know that it is not: it is refused. */
bool auth_welcome(struct client *c, enum hook_point point) ON_SHARD;
void auth_failed(struct client *c) ON_SHARD;    /* it is refused for what the request says */

/* Out. Nothing is sent to a client that closes. */
extern const struct peer_ops client_peer_ops;

void send_connack(struct client *c, struct connack_packet *connack) ON_SHARD;
bool connack_fits(struct client *c, struct connack_packet *connack) ON_SHARD;
void send_ack(struct client *c, enum packet_type type, uint16_t packet_id,
              enum reason reason) ON_SHARD;
void send_suback(struct client *c, enum packet_type type, const struct suback_packet *s) ON_SHARD;
void send_pingresp(struct client *c) ON_SHARD;
void send_disconnect(struct client *c, enum reason reason, const char *why) ON_SHARD;
void send_auth(struct client *c, enum reason reason) ON_SHARD;  /* data: request.data_out */

#endif
