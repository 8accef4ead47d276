/* Topic aliases of one connection, client to server [MQTT-3.3.2-7]: they die with it. */
#ifndef LINNET_CLIENT_ALIAS_H
#define LINNET_CLIENT_ALIAS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"

struct alias_table {
        struct str *topics;             /* [size], by alias - 1; ptr NULL: not set; owned */
        uint16_t    size;
};

void alias_deinit(struct alias_table *table);

/* The alias stands for the topic from now on; false without memory. alias > 0. */
bool alias_set(struct alias_table *table, uint16_t alias, struct str topic);

/* ptr NULL: nobody set it. Lives until the alias is set anew. */
struct str alias_get(const struct alias_table *table, uint16_t alias);

#endif
