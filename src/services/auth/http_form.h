/* What is asked over HTTP, and what an answer means. Pure. */
#ifndef LINNET_SERVICES_AUTH_HTTP_FORM_H
#define LINNET_SERVICES_AUTH_HTTP_FORM_H

#include "base/buffer.h"
#include "net/http_client.h"
#include "services/auth/auth_cache.h"
#include "services/auth/auth_http.h"

enum { HTTP_ANSWER_BYTES_MAX = 65536 };

/* A request in its parts, with the values of one question. Zeroed it is empty; has passwords in it,
 * so that it is wiped. */
struct http_form {
        struct buffer url, headers, body;
};

void http_form_wipe(struct http_form *form);

/* NULL: `form` is what is to be sent. Else what is lacking, in static words: the client has no
 * password, say. */
const char *http_form_fill(struct http_form *form, const struct auth_http_config *config,
                           enum auth_http_step step, const struct access_request *request);

struct http_request http_form_request(const struct http_form *form,
                                      const struct auth_http_request *of);

/* What the answer says; json_decref() its permissions. False: it says nothing that can be relied
 * on, and *why is what is wrong, in static words. */
bool http_form_read(const struct http_answer *answer, struct auth_answer *out, const char **why);

/* "name=text,name=text", with a name for each. */
bool http_form_params_good(struct str params);

#endif
