/* Who is in a store: its sessions by key, and its messages with how often records refer to them.
 * Read from the records, so that what the store itself says can be compared. */
#ifndef LINNET_TOOLS_CENSUS_H
#define LINNET_TOOLS_CENSUS_H

#include "base/map.h"
#include "core/record.h"
#include "services/store/engine.h"

struct census_session {
        uint64_t   key;
        struct str client_id;           /* owned */
};

struct census_message {
        struct guid guid;
        uint64_t    record;             /* the first one that refers to it */
        uint32_t    uses;               /* records that refer to it */
        uint32_t    refs;               /* as the store says; 0: it says nothing */
        bool        present;            /* its body is there */
};

struct census {
        struct map sessions;            /* by key */
        struct map clients;             /* the same, by client id */
        struct map messages;            /* by guid */
};

void census_init(struct census *census);
void census_deinit(struct census *census);

/* A record that was decoded. False: no memory. *twice: a session of its client is there already. */
bool census_add(struct census *census, uint64_t key, const struct record *record, bool *twice);

/* A body that is there. False: no memory. */
bool census_add_body(struct census *census, struct guid guid);

const struct census_session *census_session(const struct census *census, uint64_t key);

/* NULL: nothing was said of it. */
struct census_message *census_message(const struct census *census, struct guid guid);

#endif
