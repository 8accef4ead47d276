/* An HTTP service that is asked who may come in (auth_req), who is a superuser (super_req), and who
 * may publish and subscribe to what (acl_req), as emqttd asks: 200 allows, unless the body is
 * "ignore"; and as EMQX 5 answers: {"result": "allow", "is_superuser": true, "acl": …}. */
#ifndef LINNET_SERVICES_AUTH_AUTH_HTTP_H
#define LINNET_SERVICES_AUTH_AUTH_HTTP_H

#include <stdint.h>

struct auth_kind;

enum auth_http_method { AUTH_HTTP_POST, AUTH_HTTP_GET };
enum auth_http_body { AUTH_HTTP_FORM, AUTH_HTTP_JSON };
enum auth_http_on_error { AUTH_HTTP_DENY, AUTH_HTTP_IGNORE };
enum auth_http_step { AUTH_HTTP_AUTH, AUTH_HTTP_SUPER, AUTH_HTTP_ACL, AUTH_HTTP_STEPS };

enum { AUTH_HTTP_TEXT_SIZE = 1024 };

/* A request; its texts have places for what is asked about (template.h). */
struct auth_http_request {
        char                  url[AUTH_HTTP_TEXT_SIZE];         /* empty: not asked */
        char                  params[AUTH_HTTP_TEXT_SIZE];      /* "name=%u,other=%c" */
        enum auth_http_method method;
        enum auth_http_body   body;                             /* of a POST */
};

/* auth.http.*; a text that is empty is not set. */
struct auth_http_config {
        struct auth_http_request requests[AUTH_HTTP_STEPS];
        char                     headers[AUTH_HTTP_TEXT_SIZE];  /* "Name: value|Name: value" */
        char                     ca_file[AUTH_HTTP_TEXT_SIZE];
        char                     cert_file[AUTH_HTTP_TEXT_SIZE];
        char                     key_file[AUTH_HTTP_TEXT_SIZE];
        uint32_t                 connect_timeout_ms, timeout_ms;
        enum auth_http_on_error  on_error;
        uint32_t                 cache_ttl_ms;          /* of what allows or ignores; 0: none */
        uint32_t                 cache_negative_ttl_ms; /* of what denies */
        uint32_t                 cache_max;             /* answers */
        uint32_t                 circuit_failures, circuit_window_ms, circuit_pause_ms;
};

extern const struct auth_kind auth_kind_http;

#endif
