/* QoS 2 packet ids received and not yet released by PUBREL: the receiver's half of exactly once. An
 * ascending array; clients count up, so adding is appending. */
#ifndef LINNET_CORE_AWAITING_REL_H
#define LINNET_CORE_AWAITING_REL_H

#include <stdbool.h>
#include <stdint.h>

struct awaiting_rel {
        struct awaiting_id *ids;        /* owned; NULL while it is empty */
        uint32_t            count, size;
};

void awaiting_rel_deinit(struct awaiting_rel *awaiting);
bool awaiting_rel_has(const struct awaiting_rel *awaiting, uint16_t packet_id);
/* False without memory. */
bool awaiting_rel_add(struct awaiting_rel *awaiting, uint16_t packet_id, uint64_t now_ms);

/* The record of an id that is there. */
uint64_t awaiting_rel_key(const struct awaiting_rel *awaiting, uint16_t packet_id); /* 0: none */
void awaiting_rel_set_key(struct awaiting_rel *awaiting, uint16_t packet_id, uint64_t key);

/* False when it was not there. *key, when not NULL, is set to that of its record; 0: none. */
bool awaiting_rel_remove(struct awaiting_rel *awaiting, uint16_t packet_id, uint64_t *key);

/* Any one of them with its record's key, taken out; false when there is none. */
bool awaiting_rel_pop(struct awaiting_rel *awaiting, uint64_t *key);

/* An id that came before `before_ms` is forgotten, *key set to that of its record; false when there
 * is none. */
bool awaiting_rel_expire(struct awaiting_rel *awaiting, uint64_t before_ms, uint64_t *key);

#endif
