/* What the command line of `linnet pub` and `linnet sub` says, in the words of mosquitto_pub and
 * mosquitto_sub. Its texts are views of argv. */
#ifndef LINNET_TOOLS_ARGUMENTS_H
#define LINNET_TOOLS_ARGUMENTS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"
#include "mqtt/packet.h"

enum tool { TOOL_PUB = 1, TOOL_SUB = 2 };

/* Packets that -D gives properties to. */
enum command {
        COMMAND_CONNECT, COMMAND_WILL, COMMAND_PUBLISH, COMMAND_SUBSCRIBE, COMMAND_UNSUBSCRIBE,
        COMMAND_DISCONNECT, COMMANDS
};

struct texts {
        const char **items;             /* owned; the texts are not */
        unsigned     count;
};

struct arguments {
        enum tool         tool;
        enum mqtt_version version;
        const char       *host;
        const char       *client_id;    /* NULL: none was given */
        const char       *username;
        const char       *password;
        uint32_t          port;
        uint32_t          keep_alive_s;
        uint32_t          qos;
        uint32_t          count;        /* -C; 0: no end */
        uint32_t          timeout_s;    /* -W; 0: no end */
        uint32_t          session_expiry_s;
        bool              has_session_expiry;
        bool              keep_session;
        bool              debug;
        bool              quiet;
        bool              retain;
        bool              empty_message;
        bool              from_lines;
        bool              from_stdin;
        const char       *message;
        const char       *file;
        bool              verbose;
        bool              no_newline;
        bool              no_stale;
        bool              exit_after_subscribe;
        bool              retain_as_published;
        const char       *will_topic;
        const char       *will_payload;
        uint32_t          will_qos;
        bool              will_retain;
        struct texts      topics;
        struct texts      filter_out;
        struct texts      unsubscribe;
        struct buffer     properties[COMMANDS];         /* sections as on the wire */
        bool              help;
};

/* argv[0] is the first option. False: the reason has been printed. arguments_deinit() anyway. */
bool arguments_parse(struct arguments *to, enum tool tool, int argc, char **argv);
void arguments_deinit(struct arguments *arguments);

/* The properties given for this packet, as encoders want them. */
struct properties arguments_properties(const struct arguments *arguments, enum command command);

#endif
