/* A WebSocket towards the broker (RFC 6455): the request, its answer, frames in and out. It moves
 * no bytes itself. One thread. */
#ifndef LINNET_TOOLS_LINNET_BENCH_WEB_H
#define LINNET_TOOLS_LINNET_BENCH_WEB_H

#include <stdbool.h>
#include <stddef.h>

#include "base/str.h"
#include "options.h"

enum {
        WEB_ROOM         = 14,          /* for the header, in front of what is to be framed */
        WEB_REQUEST_SIZE = 512,         /* of the request without path and host */
        WEB_CONTROL_SIZE = WEB_ROOM + 125,
};

struct web;

struct web *web_new(void);              /* NULL without memory */
void        web_free(struct web *web);

/* The request into WEB_REQUEST_SIZE bytes and as many as path and host have; its length. */
size_t web_request(const struct web *web, const struct bench_options *options, char *to,
                   size_t size);

enum web_answer { WEB_PARTIAL, WEB_OPEN, WEB_REFUSED };

/* Takes the answer from the front of `bytes` when all of it has come. REFUSED: web_why(). */
enum web_answer web_answer(struct web *web, struct str *bytes);
bool            web_is_open(const struct web *web);

/* Takes bytes that have come and leaves in their place what the frames carry; *count says how much
 * that is. False: no frames that a server may send; web_why(). Behind a close frame nothing is
 * read. */
bool web_take(struct web *web, char *bytes, size_t *count);
bool web_is_closed(const struct web *web);              /* the broker has sent a close frame */

/* Makes one masked binary frame of `size` bytes, of which the first WEB_ROOM are free; what is to
 * be sent of them. Nothing when there is nothing behind the room. */
struct str web_frame(struct web *web, char *bytes, size_t size);

/* A frame into WEB_CONTROL_SIZE bytes: what answers the last ping, if there was one since; the
 * wish to close. */
struct str web_pong(struct web *web, char *to);
struct str web_close(struct web *web, char *to);

const char *web_why(const struct web *web);             /* as long as the WebSocket */

#endif
