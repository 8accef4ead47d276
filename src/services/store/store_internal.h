/* The store as the files of this room see it. */
#ifndef LINNET_SERVICES_STORE_STORE_INTERNAL_H
#define LINNET_SERVICES_STORE_STORE_INTERNAL_H

#include "base/buffer.h"
#include "core/record.h"
#include "services/store/store.h"

/* A batch on its way to the disk: one per shard at most. */
struct taken {
        struct parcel *parcel;          /* owned; NULL: none */
        uint64_t       number;
        uint64_t       bytes;
        bool           relief;          /* it takes no room */
        bool           written;         /* it is safe; the shard has not been told yet */
        bool           refused;         /* it did not fit; likewise */
};

struct store {
        struct store_port   port;       /* first */
        struct broker      *broker;
        struct engine      *engine;
        struct loop         loop;
        struct loop        *self[1];
        struct chore        commit;
        struct timer        retry;
        struct taken        taken[SHARDS_MAX];
        struct record_marks marks;      /* as committed */
        struct record_marks next_marks; /* of the transaction in hand */
        bool                new_marks;  /* a start has replaced them, which the next one writes */
        struct guid         last_body;  /* that this transaction knows to be there; or zero */
        struct buffer       scratch;
        uint64_t            newest_key;
        bool                failing;
        bool                stuck;      /* what was taken waits for the retry */
};

/* The value as it was is moved where it harms nobody, with a log line. Within a transaction. */
enum engine_result store_set_aside(struct store *store, enum engine_table table, struct str key,
                                   struct str value, const char *why);

/* One change within a transaction. */
enum engine_result store_apply(struct store *store, const struct store_change *change);

/* Serves a request in a transaction of its own. */
void store_load_now(struct store *store, const struct store_load *load);

/* The mark of the guid's source; NULL: there is none. */
struct guid *marks_find(struct record_marks *marks, struct guid guid);

/* The message of that guid was acknowledged. */
bool marks_cover(struct record_marks *marks, struct guid guid);

#endif
