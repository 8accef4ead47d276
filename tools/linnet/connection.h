/* One connection to a broker, blocking, driven by whoever asks it for the next thing to happen. */
#ifndef LINNET_TOOLS_CONNECTION_H
#define LINNET_TOOLS_CONNECTION_H

#include <stdbool.h>
#include <stdint.h>

#include "arguments.h"
#include "base/buffer.h"
#include "mqtt/packet.h"

/* As mosquitto_pub and mosquitto_sub end; a refused CONNECT ends with its reason code. */
enum tool_exit { EXIT_DONE = 0, EXIT_ERROR = 1, EXIT_LOST = 7, EXIT_TIMEOUT = 27 };

struct connection {
        const struct arguments *arguments;
        int                     fd;
        uint16_t                keep_alive_s;
        uint16_t                last_id;
        uint32_t                receive_maximum;        /* of the broker */
        uint64_t                sent_ms;                /* when something was last sent */
        uint64_t                ping_ms;                /* a PINGREQ without answer; 0: none */
        struct buffer           in;
        struct buffer           out;
        size_t                  taken;                  /* of `in`, by the packet handed out */
        uint64_t                received[65536 / 64];   /* QoS 2 identifiers in flight to us */
};

enum happening {
        HAPPENED_PACKET,        /* *packet is filled, its views valid until the next call */
        HAPPENED_INPUT,         /* input_fd is readable */
        HAPPENED_TIMEOUT,
        HAPPENED_SIGNAL,        /* SIGINT or SIGTERM */
        HAPPENED_LOST,          /* it has been said why */
};

/* Connects and waits for CONNACK. The result is an exit code, 0 when connected; what went wrong
 * has been printed. connection_deinit() in any case. */
int  connection_open(struct connection *c, const struct arguments *arguments, uint64_t until_ms);
void connection_deinit(struct connection *c);

/* Waits until `until_ms` on the monotonic clock, 0: for ever. Acknowledgements, pings and what is
 * received twice are dealt with here; other packets are handed out. `input_fd` may be -1, and is
 * not looked at while much waits to be sent. */
enum happening connection_next(struct connection *c, struct packet *packet, int input_fd,
                               uint64_t until_ms);

/* These queue a packet, which goes out in connection_next(). False: it is too large, or there is
 * no memory, and it has been said. */
bool connection_publish(struct connection *c, const char *topic, struct str payload);
bool connection_subscribe(struct connection *c);
bool connection_unsubscribe(struct connection *c);

/* Sends what is queued and DISCONNECT. */
void connection_close(struct connection *c);

/* Prints to stderr, unless --quiet. */
void connection_say(const struct connection *c, const char *format, ...)
        __attribute__((format(printf, 2, 3)));

#endif
