/* How a kind of provider hangs in the chain. To add one: write its file, and its row in
 * auth_kinds.c. */
#ifndef LINNET_SERVICES_AUTH_AUTH_LINK_H
#define LINNET_SERVICES_AUTH_AUTH_LINK_H

#include <pthread.h>

#include "core/shard.h"
#include "net/http_client.h"
#include "services/auth/auth_config.h"
#include "services/auth/secret.h"

/* What a provider knows, made from a configuration and the files that it names. Embedded at the
 * beginning of its own struct; immutable; each shard that uses it holds a reference. */
struct auth_data {
        _Atomic uint32_t refs;
        uint32_t         entries;                       /* for the log: how many it knows */
        void           (*free)(struct auth_data *data); /* when the last reference is gone */
};

struct auth_link;

struct auth_kind {
        const char             *word;           /* in auth.chain; the provider's name, too */
        struct access_provider  provider;       /* its context is the struct auth_link */
        struct access_provider  exchange;       /* the same for an AUTH method; .check NULL: none */

        /* The key that is missing for it, as "auth.password_file = FILE"; NULL: none is. */
        const char *(*lacks)(const struct auth_config *config);

        /* Its data, with one reference. May read files; no shard calls it. NULL: `why` says what
         * is wrong, naming file and line, or is empty without memory. */
        struct auth_data *(*load)(const struct auth_config *config,
                                  char why[static AUTH_WHY_SIZE]);

        bool (*wants_http)(const struct auth_config *config);   /* NULL: it does not */

        /* What works beside the shards for this link, in link->beside; NULL where nothing does.
         * Opened once, after load(); false: `why` as there. */
        bool (*open)(struct auth_link *link, const struct auth_config *config,
                     char why[static AUTH_WHY_SIZE]);
        /* What open() would say of the files that it reads. NULL: it reads none. */
        bool (*inspect)(const struct auth_config *config, char why[static AUTH_WHY_SIZE]);
        struct loop *(*begin)(struct auth_link *link);  /* for a thread of its own; or NULL */
        void (*close)(struct auth_link *link);          /* when no thread runs any more */

        /* The file that is loaded: when it changes, it is loaded anew. NULL: there is none. */
        const char *(*file)(const struct auth_config *config);

        /* Tells every user whom `from` knew and `to` does not, or by another secret. NULL: what it
         * knows are no users. */
        void (*lost)(const struct auth_data *from, const struct auth_data *to,
                     void (*tell)(void *context, struct str username), void *context);

        /* On the shard, whose data has just become other: forgets what it remembers of the old.
         * NULL: it remembers nothing. */
        void (*renewed)(struct auth_link *link, struct shard *shard);

        /* Any secret that takes as long to check as those it has, always the same for a name; NULL
         * when all are quick. NULL: none of them ever has slow ones. */
        const struct secret *(*decoy)(const struct auth_data *data, struct str name);
};

struct auth_link {
        const struct auth_kind *kind;
        struct auth            *auth;
        struct broker          *broker;
        struct http_client     *http;           /* NULL: no link has said that it wants one */
        void                   *beside;
        pthread_t               thread;         /* runs the loop that begin() gave */
        struct loop            *loop;           /* NULL: none is running */
        struct auth_data       *data[SHARDS_MAX];       /* each its shard's */
};

struct auth {
        struct broker      *broker;
        struct http_client *http;
        struct auth_link    links[AUTH_CHAIN_MAX];
        unsigned            count;
        struct hasher      *hasher;                     /* NULL: nobody is in the chain */
        struct cache       *caches[SHARDS_MAX];         /* each its shard's; NULL: none is kept */
        struct keeper      *keeper;
        pthread_t           threads[AUTH_WORKERS_MAX];
        unsigned            running;                    /* of these threads */
};

extern const struct auth_kind *const auth_kinds[];      /* NULL at the end */

const struct auth_kind *auth_kind_find(struct str word);        /* NULL when there is none */

/* What the link knows, for this turn; auth_data_take() keeps it for longer. */
static inline struct auth_data *auth_link_data(const struct auth_link *link,
                                               const struct shard     *shard)
{
        return link->data[shard->loop.config.id];
}

void auth_data_init(struct auth_data *data, void (*release)(struct auth_data *data));
struct auth_data *auth_data_take(struct auth_data *data);       /* one reference more */
void auth_data_drop(struct auth_data *data);    /* gives one back, on any thread; NULL is nothing */

#endif
