/* PUBACK, PUBREC, PUBREL, PUBCOMP. */
#include "client/protocol.h"

static bool reason_fits(struct client *c, const struct packet *packet) ON_SHARD;

void on_puback(struct client *c, const struct packet *packet)
{
        if (reason_fits(c, packet) && !session_puback(c->peer.session, packet->ack.packet_id))
                metric_add(&c->shard->metrics.packets_puback_missed, 1);
}

/* An error ends the exchange: no PUBREL then [MQTT-4.3.3-4]. */
void on_pubrec(struct client *c, const struct packet *packet)
{
        const struct ack_packet *ack    = &packet->ack;
        enum reason              reason = REASON_SUCCESS;
        enum pubrec              known;

        if (!reason_fits(c, packet))
                return;
        known = session_pubrec(c->peer.session, ack->packet_id, ack->reason);
        if (known == PUBREC_UNKNOWN) {
                metric_add(&c->shard->metrics.packets_pubrec_missed, 1);
                reason = REASON_PACKET_IDENTIFIER_NOT_FOUND;
        }
        if (!reason_is_error(ack->reason) && known != PUBREC_LATER)
                send_ack(c, PACKET_PUBREL, ack->packet_id, reason);
}

/* An unknown id is answered too: the PUBCOMP may have been lost [MQTT-4.3.3-11]. One that is known
 * is new from here on [MQTT3-4.3.3-2] [MQTT5-4.3.3-12]. Nothing of this asks what has become of the
 * message [MQTT5-4.3.3-13]. */
void on_pubrel(struct client *c, const struct packet *packet)
{
        uint16_t    id     = packet->ack.packet_id;
        enum reason reason = REASON_SUCCESS;

        if (!reason_fits(c, packet))
                return;
        if (!session_pubrel(c->peer.session, id)) {
                metric_add(&c->shard->metrics.packets_pubrel_missed, 1);
                reason = REASON_PACKET_IDENTIFIER_NOT_FOUND;
        }

        /* When the id is known to be free: it may come again with the next message. */
        struct receipt *barrier = protocol_barrier(c);
        struct reply   *reply = reply_ack(c, PACKET_PUBCOMP, id, reason, barrier == NULL);

        protocol_wait(reply, barrier);
}

void on_pubcomp(struct client *c, const struct packet *packet)
{
        if (reason_fits(c, packet) && !session_pubcomp(c->peer.session, packet->ack.packet_id))
                metric_add(&c->shard->metrics.packets_pubcomp_missed, 1);
}

static bool reason_fits(struct client *c, const struct packet *packet)
{
        if (c->version != MQTT_5 ||
            packet_reason_allowed(packet->type, packet->ack.reason, PACKET_FROM_CLIENT))
                return true;
        client_refuse_packet(c, REASON_PROTOCOL_ERROR, "not a reason for a client to give");
        return false;
}
