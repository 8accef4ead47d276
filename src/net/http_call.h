/* One request on its way, as http_client.c (mail, circuits) and http_transfer.c (libcurl)
 * see it. */
#ifndef LINNET_NET_HTTP_CALL_H
#define LINNET_NET_HTTP_CALL_H

#include <curl/curl.h>

#include "base/buffer.h"
#include "base/map.h"
#include "net/http_client.h"

enum {
        HTTP_HEADER_BYTES_MAX = 32768,  /* of an answer: the headers, all of them */
};

struct http_target {
        struct http_target_config config;
        struct http_client       *client;
        struct http_target       *next;
        struct circuit            circuit;
};

struct http_call {
        /* the asker's */
        http_answered      *answered;           /* NULL: it was cancelled */
        void               *context;

        /* fixed */
        struct http_target *target;
        struct loop        *from;               /* who has asked */
        uint64_t            id;
        struct http_request request;            /* its strings are in bytes[] */
        size_t              size;               /* of bytes[] */

        /* the client's; the asker's again with the answer */
        struct parcel      *reply;              /* made before, so that it cannot fail */
        CURL               *easy;
        struct curl_slist  *lines;
        struct buffer       body;
        size_t              header_bytes;
        bool                too_large;
        enum circuit_pass   pass;
        struct http_answer  answer;
        char                bytes[];
};

struct http_client {
        struct http_client_config config;
        struct loop               loop;
        struct loop              *self[1];
        struct http_target       *targets;      /* owned */
        struct map                calls;        /* by id: with libcurl */
        _Atomic uint32_t          pending;      /* asked and not yet answered */
        _Atomic uint64_t          last_id;
        CURLM                    *multi;
        struct list               sockets;      /* that libcurl wants watched */
        struct timer              timer;        /* libcurl's */
};

/* http_transfer.c */
bool http_transfers_init(struct http_client *client);           /* false without memory */
void http_transfers_deinit(struct http_client *client) ON_SHARD;  /* when no call is under way */
bool http_transfer_begin(struct http_call *call) ON_SHARD;      /* false without memory */
void http_transfer_end(struct http_call *call) ON_SHARD;        /* finished or not */

/* http_client.c: the transfer has come to its end, and call->answer says how. Frees the call. */
void http_call_done(struct http_call *call) ON_SHARD;

#endif
