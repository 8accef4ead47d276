#include "services/auth/http_form.h"

#include <openssl/crypto.h>
#include <string.h>

#include "services/auth/auth_config.h"
#include "services/auth/json_text.h"
#include "services/auth/template.h"
#include "services/auth/text_file.h"

#define WALL_S_MAX 9e9          /* the year 2255 */

static const char NO_MEMORY[] = "no memory";

void http_form_wipe(struct http_form *form)
{
        text_file_wipe(&form->url);
        text_file_wipe(&form->headers);
        text_file_wipe(&form->body);
}

bool http_form_params_good(struct str params)
{
        struct str one, name;

        while (auth_chain_next(&params, &one))
                if (memchr(one.ptr, '=', one.len) == NULL || !str_cut(&one, '=', &name) ||
                    name.len == 0)
                        return false;
        return true;
}

/* ---- asking ---------------------------------------------------------------------------------- */

static const char *expand(struct str text, const struct access_request *request,
                          template_write *write, struct buffer *to)
{
        enum template_result result = template_expand(text, request, write, to);

        return result == TEMPLATE_GOOD    ? NULL
               : result == TEMPLATE_LACKS ? "it has no user name, or no password"
                                          : NO_MEMORY;
}

/* name=value&name=value */
static const char *fill_form(struct str params, const struct access_request *request,
                             struct buffer *to)
{
        struct str  one, name;
        const char *wrong = NULL;
        bool        first = true;

        while (wrong == NULL && auth_chain_next(&params, &one)) {
                str_cut(&one, '=', &name);
                if ((!first && !buffer_append(to, STR("&"))) || !template_url(to, name) ||
                    !buffer_append(to, STR("=")))
                        return NO_MEMORY;
                wrong = expand(one, request, template_url, to);
                first = false;
        }
        return wrong;
}

static const char *add_member(json_t *object, struct str name, struct str text,
                              const struct access_request *request)
{
        struct buffer value = { 0 };
        char          key[AUTH_HTTP_TEXT_SIZE];
        const char   *wrong = expand(text, request, template_plain, &value);

        memcpy(key, name.ptr, name.len);
        key[name.len] = '\0';
        if (wrong == NULL &&
            json_object_set_new(object, key, json_stringn(buffer_len(&value) > 0
                                                                  ? buffer_str(&value).ptr : "",
                                                          buffer_len(&value))) != 0)
                wrong = "a value is no UTF-8, so that JSON cannot hold it";
        text_file_wipe(&value);
        return wrong;
}

static int put_json(const char *bytes, size_t len, void *to)
{
        return buffer_append(to, str_from(bytes, len)) ? 0 : -1;
}

static const char *fill_json(struct str params, const struct access_request *request,
                             struct buffer *to)
{
        json_t     *object = json_object();
        struct str  one, name;
        const char *wrong = object != NULL ? NULL : NO_MEMORY;

        while (wrong == NULL && auth_chain_next(&params, &one)) {
                str_cut(&one, '=', &name);
                wrong = add_member(object, name, one, request);
        }
        if (wrong == NULL && json_dump_callback(object, put_json, to, JSON_COMPACT) != 0)
                wrong = NO_MEMORY;
        json_decref(object);
        return wrong;
}

static const char *fill_headers(const char *configured, bool post, bool json, struct buffer *to)
{
        struct str rest = str_of(configured), line;

        while (str_cut(&rest, '|', &line)) {
                while (line.len > 0 && line.ptr[0] == ' ')
                        line = str_skip(line, 1);
                if (line.len > 0 && (!buffer_append(to, line) || !buffer_append(to, STR("\n"))))
                        return NO_MEMORY;
        }
        if (!post)
                return NULL;
        return buffer_append(to, json ? STR("Content-Type: application/json\n")
                                      : STR("Content-Type: application/x-www-form-urlencoded\n"))
                       ? NULL : NO_MEMORY;
}

/* The user name that a client need not have to ask about a topic. */
static struct access_request filled_up(const struct access_request *request,
                                       enum auth_http_step step)
{
        struct access_request as = *request;

        if (step != AUTH_HTTP_AUTH && !as.has_username) {
                as.has_username = true;
                as.username     = STR("");
        }
        return as;
}

const char *http_form_fill(struct http_form *form, const struct auth_http_config *config,
                           enum auth_http_step step, const struct access_request *request)
{
        const struct auth_http_request *of     = &config->requests[step];
        struct str                      params = str_of(of->params);
        struct access_request           as     = filled_up(request, step);
        bool                            post   = of->method == AUTH_HTTP_POST;
        bool                            json   = post && of->body == AUTH_HTTP_JSON;
        const char *wrong = expand(str_of(of->url), &as, template_url, &form->url);

        if (wrong == NULL)
                wrong = fill_headers(config->headers, post, json, &form->headers);
        if (wrong != NULL)
                return wrong;
        if (json)
                return fill_json(params, &as, &form->body);
        if (post)
                return fill_form(params, &as, &form->body);
        if (params.len > 0 &&
            !buffer_append(&form->url, strchr(of->url, '?') != NULL ? STR("&") : STR("?")))
                return NO_MEMORY;
        return fill_form(params, &as, &form->url);
}

struct http_request http_form_request(const struct http_form *form,
                                      const struct auth_http_request *of)
{
        return (struct http_request){
                .method  = of->method == AUTH_HTTP_POST ? HTTP_POST : HTTP_GET,
                .url     = buffer_str(&form->url),
                .headers = buffer_str(&form->headers),
                .body    = buffer_str(&form->body),
        };
}

/* ---- being answered -------------------------------------------------------------------------- */

static struct str trim(struct str body, const char *bytes)
{
        if (str_starts(body, STR("\xef\xbb\xbf")))      /* a byte order mark */
                body = str_skip(body, 3);
        while (body.len > 0 && strchr(bytes, body.ptr[body.len - 1]) != NULL)
                body.len--;
        while (body.len > 0 && strchr(bytes, body.ptr[0]) != NULL)
                body = str_skip(body, 1);
        return body;
}

/* A word alone, or in quotes. Any other page is what its status says. */
static enum access_verdict read_word(struct str body)
{
        struct str word = trim(body, " \t\r\n\"");

        return str_eq(word, STR("ignore")) ? ACCESS_IGNORE
               : str_eq(word, STR("deny")) ? ACCESS_DENY
                                           : ACCESS_ALLOW;
}

static bool read_result(const json_t *json, struct auth_answer *out)
{
        static const struct {
                const char         *word;
                enum access_verdict verdict;
        } words[] = { { "allow", ACCESS_ALLOW }, { "deny", ACCESS_DENY },
                      { "ignore", ACCESS_IGNORE } };
        struct str result = json_text_str(json, "result");

        for (unsigned i = 0; i < sizeof words / sizeof words[0]; i++) {
                if (!str_eq(result, str_of(words[i].word)))
                        continue;
                out->verdict = words[i].verdict;
                return true;
        }
        return false;
}

/* One without "result" is a page that happens to be JSON: its status says it all. */
static bool read_json(const json_t *json, struct auth_answer *out, const char **why)
{
        const json_t *expires = json_object_get(json, "expire_at");
        double        end_s   = json_number_value(expires);

        if (json_object_get(json, "result") == NULL)
                return true;
        *why = "its \"result\" is none of allow, deny and ignore";
        if (!read_result(json, out))
                return false;
        *why = "its \"expire_at\" is no time";
        if (expires != NULL && (!json_is_number(expires) || end_s < 0 || end_s > WALL_S_MAX))
                return false;
        *why             = NULL;
        out->superuser   = json_is_true(json_object_get(json, "is_superuser"));
        out->until_us    = expires != NULL ? (uint64_t)(end_s * 1e6) + 1 : 0;
        out->permissions = json_incref(json_object_get(json, "acl"));
        return true;
}

bool http_form_read(const struct http_answer *answer, struct auth_answer *out, const char **why)
{
        struct str body;
        json_t    *json;
        bool       good;

        *out = (struct auth_answer){ .verdict = ACCESS_DENY };
        *why = answer->why;
        if (answer->result != HTTP_ANSWERED)
                return false;
        *why = "the service has failed";
        if (answer->status >= 500)
                return false;
        *why = NULL;
        if (answer->status != 200 && answer->status != 204)
                return true;
        out->verdict = read_word(answer->body);
        body         = trim(answer->body, " \t\r\n");
        if (body.len == 0 || body.ptr[0] != '{')
                return true;
        json = json_text_object(body, HTTP_ANSWER_BYTES_MAX, why);
        good = json != NULL && read_json(json, out, why);
        json_decref(json);
        if (!good)
                out->verdict = ACCESS_DENY;
        return good;
}
