/* Requests over HTTP, from shards, answered by mail: an actor with a loop of its own, in which
 * libcurl keeps connections alive and moves bytes. No caller ever waits.
 *
 *      http_ask() on a shard ─ mail ─> circuit of the target ─> libcurl ─ mail ─> answered()
 *
 * Every bound is on this side: how many requests may be under way, how long each may take, how much
 * its answer may weigh. Certificates are verified, redirects are not followed, no proxy is asked.
 * HTTP/1.1, so that a request has a connection to itself while it lasts.
 */
#ifndef LINNET_NET_HTTP_CLIENT_H
#define LINNET_NET_HTTP_CLIENT_H

#include "base/str.h"
#include "net/circuit.h"
#include "rt/loop.h"

struct http_call;
struct http_client;
struct http_target;

/* Where requests go, and on what terms. Its strings outlive the client; NULL where there is none.
 * A certificate is needed only where the server wants one; without ca_file the system's are
 * trusted. */
struct http_target_config {
        const char           *name;             /* for alarms and logs: "auth.http.auth_req" */
        const char           *ca_file, *cert_file, *key_file;
        uint32_t              connect_timeout_ms;
        uint32_t              timeout_ms;       /* for all of it, waiting for its turn included */
        uint32_t              answer_bytes_max; /* of the body */
        struct circuit_config circuit;
};

struct http_client_config {
        uint32_t connections_max;               /* at once, and kept alive */
        uint32_t calls_max;                     /* asked and not yet answered */

        /* On the client's thread: nobody is asked there for a while, and why (static storage), or
         * NULL: it is asked again. NULL when nobody needs to know. */
        void (*circuit_changed)(void *context, const char *target, const char *why);
        void  *context;
};

enum http_method { HTTP_GET, HTTP_POST };

enum http_result {
        HTTP_ANSWERED,          /* whatever the status */
        HTTP_FAILED,            /* no connection, no certificate, no HTTP */
        HTTP_TIMEOUT,
        HTTP_TOO_LARGE,
        HTTP_CIRCUIT_OPEN,      /* nobody was asked */
};

/* Its strings are copied. `url` has been escaped; `headers` are lines without CR: "Name: value",
 * each ended by LF. */
struct http_request {
        enum http_method method;
        struct str       url;
        struct str       headers;
        struct str       body;                  /* of a POST */
};

struct http_answer {
        enum http_result result;
        unsigned         status;                /* when ANSWERED */
        struct str       body;
        const char      *why;                   /* not ANSWERED: in words; static storage */
};

/* On the loop that has asked, unless it has cancelled; the answer's strings go when it returns. */
typedef void http_answered(void *context, const struct http_answer *answer);

/* The poll is taken; config_of_loop as in loop.h, whose id, count and peers are set here. Before
 * any other thread is made: libcurl is initialised. NULL without memory; the poll is the caller's
 * then. */
struct http_client *http_client_new(const struct http_client_config *config,
                                    const struct loop_config        *config_of_loop);

/* Before anybody asks. NULL without memory. */
struct http_target *http_client_target(struct http_client             *client,
                                       const struct http_target_config *config);

struct loop *http_client_loop(struct http_client *client);      /* to be run by its own thread */

/* When its loop does not run any more, nor one that has asked. */
void http_client_free(struct http_client *client);

/* NULL: it was not asked, for too many are under way or there is no memory. Else answered() will be
 * called in a later turn of `loop`, which is the caller's. */
struct http_call *http_ask(struct http_target *target, const struct http_request *request,
                           struct loop *loop, http_answered *answered, void *context) ON_SHARD;

/* On the same loop, before it was answered: it will not be. The call is gone. */
void http_cancel(struct http_call *call) ON_SHARD;

#endif
