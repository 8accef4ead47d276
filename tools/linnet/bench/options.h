/* What the command line of `linnet bench` says. Texts are views of argv. */
#ifndef LINNET_TOOLS_LINNET_BENCH_OPTIONS_H
#define LINNET_TOOLS_LINNET_BENCH_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "mqtt/packet.h"

enum bench_mode {
        BENCH_CONN,
        BENCH_PUB,
        BENCH_SUB,
        BENCH_PAIR,
        BENCH_FANIN,
        BENCH_FANOUT,
        BENCH_SHARED,
        BENCH_RETAIN,
        BENCH_OFFLINE,
        BENCH_CHURN,
        BENCH_MODES
};

enum {
        BENCH_CONNECTIONS_MAX = 10000000,
        BENCH_SIZE_MAX        = 16777216,       /* bytes of a payload */
        BENCH_THREADS_MAX     = 64,
        BENCH_WINDOW_MAX      = 32767,          /* packet ids are 16 bits */
};

struct bench_options {
        enum bench_mode   mode;
        enum mqtt_version version;
        const char       *scenario;             /* NULL: none */
        double            scale;                /* of the scenario's numbers */

        const char *host;
        uint32_t    port;
        const char *ifaddr;                     /* NULL: whatever the kernel takes */
        const char *prefix;                     /* of client ids; NULL: of this run's own */
        const char *username;
        const char *password;
        uint32_t    keepalive_s;
        bool        keep_session;
        bool        tls;
        bool        insecure;
        bool        ws;
        const char *ws_path;
        const char *cafile;                     /* NULL: the machine's authorities */
        const char *cert;                       /* NULL: none of ours */
        const char *key;
        uint32_t    expiry_s;
        bool        has_expiry;

        uint32_t    count;                      /* 0 where the next two are to say it */
        uint32_t    publishers;
        uint32_t    subscribers;
        double      connect_rate;               /* a second; 0: as fast as it goes */
        double      rate;                       /* messages a second of all; 0: full speed */
        uint32_t    window;                     /* of one publisher; 0: none */
        uint32_t    burst;
        uint32_t    qos;
        uint32_t    size;
        const char *topic;                      /* NULL: the mode's own */
        const char *filter;                     /* NULL: made of the topic */
        const char *group;                      /* of BENCH_SHARED */
        bool        retain;
        uint64_t    messages;                   /* of all; 0: until the time is over */
        double      duration_s;                 /* 0: until the messages are sent, or no end */
        double      warmup_s;
        double      timeout_s;
        double      lost_timeout_s;

        uint32_t    threads;
        uint32_t    pid;                        /* of the broker; 0: unknown */
        const char *json;                       /* a file, "-", or NULL */
        bool        progress;
        bool        quiet;
        bool        help;
};

/* argv[0] is the mode or the first option. False: the reason has been printed. */
bool bench_options_parse(struct bench_options *to, int argc, char **argv);

const char *bench_mode_name(enum bench_mode mode);      /* "fanin"; static storage */

#endif
