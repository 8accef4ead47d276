/* Topic aliases of one connection, each direction its own [MQTT-3.3.2-7]: they die with it. */
#ifndef LINNET_CLIENT_ALIAS_H
#define LINNET_CLIENT_ALIAS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"

enum {
        ALIAS_SENT_MAX  = 16,           /* towards a client, however many it bears */
        ALIAS_TOPIC_MIN = 5,            /* a shorter topic gains nothing by the property */
};

struct alias_sent;

struct alias_table {
        struct str        *topics;      /* [size], by alias - 1; ptr NULL: not set; owned */
        struct alias_sent *sent;        /* [sent_max], by alias - 1; NULL: none yet; owned */
        uint16_t           size;
        uint16_t           sent_max;
        uint16_t           sent_count;
};

void alias_deinit(struct alias_table *table);

/* The alias stands for the topic from now on; false without memory. alias > 0. */
bool alias_set(struct alias_table *table, uint16_t alias, struct str topic);

/* ptr NULL: nobody set it. Lives until the alias is set anew. */
struct str alias_get(const struct alias_table *table, uint16_t alias);

/* The client bears that many from us: its Topic Alias Maximum [MQTT5-3.3.2-11]. Once, before any is
 * sent. */
void alias_allow_sent(struct alias_table *table, uint16_t maximum);

/* The alias that the client knows for the topic; 0: none. */
uint16_t alias_find_sent(const struct alias_table *table, struct str topic);

/* Whether a topic that has none may get one. */
bool alias_may_send(const struct alias_table *table, struct str topic);

/* Gives it one, which the next PUBLISH must tell the client; 0 without memory. */
uint16_t alias_send(struct alias_table *table, struct str topic);

#endif
