/* The chain of authenticators and authorisers (emqttd_access_control). Each provider answers
 * allow, deny or ignore, or says that it will answer later; the first that does not ignore
 * decides. A question that is not answered within mqtt.access_timeout is denied. When all ignore:
 *
 *      a topic         is as acl.nomatch says where anyone has rules, else allowed
 *      a CONNECT       is denied where there is an authenticator, unless it offers no credentials
 *                      at all and mqtt.allow_anonymous says that such may come in; where there
 *                      is none, mqtt.allow_anonymous and its twin for loopback decide, but for
 *                      who is identified: that one is not anonymous */
#ifndef LINNET_CORE_ACCESS_H
#define LINNET_CORE_ACCESS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"
#include "mqtt/reason.h"
#include "rt/role.h"
#include "rt/wheel.h"

struct access;
struct access_request;
struct shard;

enum { ACCESS_ADDRESS_SIZE = 64 };      /* of an address as text, with the NUL */

enum access_kind {
        ACCESS_CONNECT, ACCESS_PUBLISH, ACCESS_SUBSCRIBE,
        ACCESS_DELIVER,         /* a message's topic, by a subscription that is allowed partly */
};

/* Whether who is known to nobody is let in. */
enum access_anonymous { ANONYMOUS_AS_SET, ANONYMOUS_ALLOWED, ANONYMOUS_DENIED };

enum access_kinds {             /* what a provider is asked about */
        ACCESS_CONNECTS = 1 << ACCESS_CONNECT,
        ACCESS_TOPICS   = 1 << ACCESS_PUBLISH | 1 << ACCESS_SUBSCRIBE | 1 << ACCESS_DELIVER,
};

enum access_verdict {
        ACCESS_IGNORE,
        ACCESS_ALLOW,
        ACCESS_DENY,            /* request->reason may say why; the default is that of the kind */
        ACCESS_LATER,           /* access_answer() will be called, on the same shard */
        ACCESS_CONTINUE,        /* CONNECT: send request->data_out in AUTH, wait for the next */
};

struct access_provider {
        const char *name;       /* as in logs */
        unsigned    kinds;      /* enum access_kinds: it is asked about nothing else */
        struct str  method;     /* the AUTH method it speaks; ptr NULL: it sees plain CONNECTs */

        enum access_verdict (*check)(void *context, struct access_request *request);

        /* The provider owes an answer, and the client is gone or has waited for too long. NULL when
         * it never says later. */
        void (*cancel)(void *context, struct access_request *request);

        /* It has rules on topics, so that what nobody answers is acl.nomatch's to say; without any
         * it has no word on topics. NULL: never, and it may have one. On the shard. */
        bool (*has_rules)(void *context, const struct shard *shard);

        /* What the client may has come with its credentials, so that nobody knows once it is gone.
         * NULL: never. On the shard. */
        bool (*grants)(void *context, const struct access_request *request);
};

/* What a provider knows of a client from one question to the next: permissions that came with its
 * credentials, a cache. Embedded by the provider; belongs to the client, on whose shard it lives,
 * and goes with it or when another of the same owner takes its place. What several clients share
 * is counted, and referred to by each one's note. */
struct access_note {
        struct access_note *next;
        const void         *owner;      /* who looks for it: the provider's context, say */
        bool                brief;      /* of an AUTH exchange: goes when that is over */
        void (*free)(struct access_note *note);
};

/* One question, or several, one after the other. Embedded by the asker; its strings live until the
 * answer. */
struct access_request {
        struct shard          *shard;
        enum access_kind       kind;
        struct str             client_id, username, password;
        bool                   has_username, has_password;
        bool                   identified;              /* the connection has proven username */
        bool                   id_is_its;               /* client_id is no mere claim: the server
                                                         * has made it up, the connection or (in
                                                         * the answer) a password has proven it */
        struct str             address;                 /* of the peer, without port */
        bool                   loopback;
        enum access_anonymous  anonymous;               /* of its listener */
        struct str             method, data;            /* AUTH */
        struct str             topic;                   /* PUBLISH: name; SUBSCRIBE: filter */
        uint8_t                qos;
        bool                   retain;

        bool                   review;                  /* of what was allowed before: LATER is
                                                         * not waited for */
        bool                   unchecked;               /* DELIVER: it is not known who had allowed
                                                         * the subscription. Otherwise it was who
                                                         * said `partly`; whoever cannot answer at
                                                         * once has ignored it */
        bool                   away;                    /* the client has gone, and with it its
                                                         * address and notes: who needs them says
                                                         * ALLOW and `unsure` */

        /* The answer. */
        bool                   unsure;                  /* of a review: it stays as it is */
        enum reason            reason;                  /* of a denial */
        const char            *why;                     /* words for the log; static storage */
        struct str             data_out;                /* the provider's, until access_end() or
                                                         * its next call */
        struct str             identity;                /* who it is, if that is not what username
                                                         * says; until access_end() */
        bool                   partly;                  /* SUBSCRIBE: not all of what the filter
                                                         * matches; ask for each message */
        uint32_t               line;                    /* of the rule that decided; 0: none */
        uint32_t               ttl_ms;                  /* a topic's verdict is remembered no longer
                                                         * than that; 0: not at all */
        bool                   superuser;
        uint64_t               until_us;                /* CONNECT: wall time at which what was
                                                         * allowed ends; 0: with the client */
        bool                   by_policy;               /* allowed, but by no provider */
        bool                   unknown;                 /* every provider has ignored it */
        const char            *by;                      /* the provider that decided, or "none" */
        const char            *late;                    /* who has not answered in time; or NULL */

        void (*answered)(struct access_request *request, enum access_verdict verdict);
        void                  *asker;                   /* for `answered` */
        unsigned               at;                      /* the provider whose turn it is */
        bool                   waiting;
        struct timer           timer;                   /* set while it waits */
        void                  *provider_data;           /* the provider's while it owes an answer */
        unsigned               exchange_at;             /* the provider that AUTH is with: topics
                                                         * may be asked about in between */
        struct access_note    *notes;                   /* of the client; owned */
};

struct access *access_new(void);
void           access_free(struct access *access);

/* At the end of the chain; before the shards start. `provider` must outlive it. False: no
 * memory. */
bool access_add(struct access *access, const struct access_provider *provider, void *context);
bool access_has_rules(const struct shard *shard) ON_SHARD;     /* anyone on topics */

/* Anyone might have a word on a topic. False: all are everyone's, and nobody need be asked. */
bool access_is_asked(const struct shard *shard) ON_SHARD;
bool access_granted(const struct access_request *request) ON_SHARD;    /* by anyone's grants() */
bool access_has_method(const struct access *access, struct str method);

/* Asks the chain. ACCESS_LATER: request->answered will be called with the final verdict, after
 * mqtt.access_timeout at the latest. */
enum access_verdict access_check(struct access_request *request) ON_SHARD;

/* The asker has done with the verdict on a CONNECT or an AUTH exchange. Nothing otherwise. */
void access_end(struct access_request *request) ON_SHARD;

/* An AUTH packet with the next data came: asks the same provider again. */
enum access_verdict access_continue(struct access_request *request) ON_SHARD;

/* The provider's answer to a request it put off: goes on along the chain, then tells the asker. */
void access_answer(struct access_request *request, enum access_verdict verdict) ON_SHARD;

/* The client goes, or can wait no more. Nothing when nothing waits. */
void access_cancel(struct access_request *request) ON_SHARD;

/* The provider's, in check() or before access_answer(): takes the note, and frees the one that its
 * owner had left before. Of a CONNECT (which may be the re-authentication of a client that is
 * connected) only with a verdict that allows, or a brief one. */
void access_keep(struct access_request *request, struct access_note *note) ON_SHARD;

/* NULL when this owner has left none. */
struct access_note *access_note(const struct access_request *request, const void *owner) ON_SHARD;

/* The asker's, with the client: all notes. */
void access_forget(struct access_note **notes) ON_SHARD;

#endif
