#include "services/auth/http_form.h"

#include "unit.h"

static const struct access_request ann = {
        .kind         = ACCESS_CONNECT,
        .client_id    = { "c&1", 3 },
        .username     = { "ann", 3 },
        .has_username = true,
        .password     = { "p\"=s", 4 },
        .has_password = true,
        .topic        = { "a/b", 3 },
};

static const struct access_request nobody = { .kind = ACCESS_PUBLISH, .topic = { "a/b", 3 } };

static const struct access_request binary = {
        .username     = { "ann", 3 },
        .has_username = true,
        .password     = { "\xff\0x", 3 },
        .has_password = true,
};

static bool is(const struct buffer *text, const char *expected)
{
        return buffer_len(text) == strlen(expected) &&
               (expected[0] == '\0' || str_eq(buffer_str(text), str_of(expected)));
}

/* ---- asking ---------------------------------------------------------------------------------- */

TEST(a_question_is_put_into_url_or_body)
{
        static const struct row {
                struct auth_http_request of;
                const char              *headers, *url, *lines, *body;
        } rows[] = {
                { { .url = "http://h/", .params = "u=%u,p=%P", .method = AUTH_HTTP_GET }, "",
                  "http://h/?u=ann&p=p%22%3Ds", "", "" },
                { { .url = "http://h/?k=1", .params = "c=%c", .method = AUTH_HTTP_GET }, "",
                  "http://h/?k=1&c=c%261", "", "" },
                { { .url = "http://h/%c", .params = "", .method = AUTH_HTTP_GET }, "",
                  "http://h/c%261", "", "" },
                { { .url = "http://h/", .params = " u=%u , c d=x" }, "A: 1| B: 2|",
                  "http://h/",
                  "A: 1\nB: 2\nContent-Type: application/x-www-form-urlencoded\n",
                  "u=ann&c%20d=x" },
                { { .url = "http://h/", .params = "u=%u,p=%P,u=%c", .body = AUTH_HTTP_JSON }, "",
                  "http://h/", "Content-Type: application/json\n",
                  "{\"u\":\"c&1\",\"p\":\"p\\\"=s\"}" },
                { { .url = "http://h/", .params = "u=%u", .method = AUTH_HTTP_GET,
                    .body = AUTH_HTTP_JSON }, "", "http://h/?u=ann", "", "" },
        };
        static struct auth_http_config config;
        const struct row              *row;

        EACH(rows, row)
        {
                struct http_form    form = { 0 };
                struct http_request request;

                config.requests[AUTH_HTTP_AUTH] = row->of;
                snprintf(config.headers, sizeof config.headers, "%s", row->headers);
                EXPECT(http_form_fill(&form, &config, AUTH_HTTP_AUTH, &ann) == NULL);
                EXPECT(is(&form.url, row->url), "%.*s", STR_ARGS(buffer_str(&form.url)));
                EXPECT(is(&form.headers, row->lines), "for %s", row->url);
                EXPECT(is(&form.body, row->body), "%.*s", STR_ARGS(buffer_str(&form.body)));
                request = http_form_request(&form, &row->of);
                EXPECT_EQ(request.method, row->of.method == AUTH_HTTP_GET ? HTTP_GET : HTTP_POST);
                http_form_wipe(&form);
        }
}

/* Who has not said what is asked for is not asked about, but for a topic's user name. */
TEST(what_is_lacking_is_said)
{
        static const struct row {
                const char                  *params;
                enum auth_http_body          body;
                enum auth_http_step          step;
                const struct access_request *request;
                const char                  *wrong;     /* in its words; NULL: nothing */
        } rows[] = {
                { "u=%u", AUTH_HTTP_FORM, AUTH_HTTP_AUTH,  &nobody, "no user name" },
                { "u=%u", AUTH_HTTP_JSON, AUTH_HTTP_AUTH,  &nobody, "no user name" },
                { "u=%u", AUTH_HTTP_FORM, AUTH_HTTP_ACL,   &nobody, NULL },
                { "u=%u", AUTH_HTTP_JSON, AUTH_HTTP_SUPER, &nobody, NULL },
                { "p=%P", AUTH_HTTP_FORM, AUTH_HTTP_ACL,   &nobody, "no password" },
                { "p=%P", AUTH_HTTP_FORM, AUTH_HTTP_AUTH,  &binary, NULL },
                { "p=%P", AUTH_HTTP_JSON, AUTH_HTTP_AUTH,  &binary, "no UTF-8" },
        };
        static struct auth_http_config config;
        const struct row              *row;

        EACH(rows, row)
        {
                struct auth_http_request *of   = &config.requests[row->step];
                struct http_form          form = { 0 };
                const char               *wrong;

                *of = (struct auth_http_request){ .url = "http://h/", .body = row->body };
                snprintf(of->params, sizeof of->params, "%s", row->params);
                wrong = http_form_fill(&form, &config, row->step, row->request);
                EXPECT((wrong == NULL) == (row->wrong == NULL), "%s: %s", row->params,
                       wrong != NULL ? wrong : "nothing");
                EXPECT(wrong == NULL || strstr(wrong, row->wrong) != NULL, "%s", wrong);
                http_form_wipe(&form);
        }
}

TEST(parameters_have_names)
{
        static const struct row {
                const char *params;
                bool        good;
        } rows[] = {
                { "", true },  { "a=1", true }, { "a=", true }, { "a=1, b=%u ,", true },
                { "a", false }, { "=1", false }, { "a=b=c", true }, { "a=1,b", false },
        };
        const struct row *row;

        EACH(rows, row)
                EXPECT_EQ(http_form_params_good(str_of(row->params)), row->good);
}

/* ---- being answered -------------------------------------------------------------------------- */

enum { UNRELIABLE = -1 };

TEST(an_answer_is_read)
{
        static const struct row {
                unsigned    status;
                const char *body;
                int         verdict;
        } rows[] = {
                { 200, "",                                   ACCESS_ALLOW },
                { 204, "",                                   ACCESS_ALLOW },
                { 200, "<html>welcome</html>",               ACCESS_ALLOW },
                { 200, "ignore",                             ACCESS_IGNORE },
                { 200, " \"ignore\"\r\n",                    ACCESS_IGNORE },
                { 200, "\xef\xbb\xbf" "deny\n",              ACCESS_DENY },
                { 403, "ignore",                             ACCESS_DENY },
                { 302, "{\"result\":\"allow\"}",             ACCESS_DENY },
                { 404, "",                                   ACCESS_DENY },
                { 201, "",                                   ACCESS_DENY },
                { 500, "",                                   UNRELIABLE },
                { 503, "ignore",                             UNRELIABLE },
                { 200, "{\"result\":\"allow\"}",             ACCESS_ALLOW },
                { 200, "\xef\xbb\xbf {\"result\":\"deny\"}", ACCESS_DENY },
                { 200, "{\"result\":\"ignore\"}",            ACCESS_IGNORE },
                { 200, "{\"hello\":1}",                      ACCESS_ALLOW },
                { 200, "{\"result\":\"Allow\"}",             UNRELIABLE },
                { 200, "{\"result\":null}",                  UNRELIABLE },
                { 200, "{\"result\":true}",                  UNRELIABLE },
                { 200, "{\"result\":\"allow\"",              UNRELIABLE },
                { 200, "{\"result\":\"deny\",\"result\":\"allow\"}",      UNRELIABLE },
                { 200, "{\"result\":\"allow\",\"expire_at\":\"soon\"}",   UNRELIABLE },
                { 200, "{\"result\":\"allow\",\"expire_at\":-1}",         UNRELIABLE },
                { 200, "{\"result\":\"allow\",\"expire_at\":1e300}",      UNRELIABLE },
                { 200, "{\"result\":\"allow\",\"expire_at\":null}",       UNRELIABLE },
        };
        const struct row *row;

        EACH(rows, row)
        {
                const struct http_answer answer = { .result = HTTP_ANSWERED,
                                                    .status = row->status,
                                                    .body   = str_of(row->body) };
                struct auth_answer       out;
                const char              *why;
                bool                     good = http_form_read(&answer, &out, &why);

                EXPECT_EQ(good, row->verdict != UNRELIABLE);
                EXPECT_EQ(why == NULL, good);
                EXPECT(out.verdict == (good ? (enum access_verdict)row->verdict : ACCESS_DENY),
                       "%u %s", row->status, row->body);
                EXPECT(out.permissions == NULL && !out.superuser && out.until_us == 0);
        }
}

TEST(no_answer_denies_and_says_why)
{
        const struct http_answer answer = { .result = HTTP_TIMEOUT, .status = 200,
                                            .body = STR("ignore"), .why = "too late" };
        struct auth_answer       out;
        const char              *why;

        EXPECT(!http_form_read(&answer, &out, &why));
        EXPECT_EQ(out.verdict, ACCESS_DENY);
        EXPECT(why == answer.why);
}

/* A time of 0 is over: it must not read as one without an end. */
TEST(what_comes_with_a_result_is_kept)
{
        static const char  text[] = "{\"result\":\"allow\",\"is_superuser\":true,"
                                    "\"expire_at\":1700000000.5,\"acl\":[1]}";
        struct http_answer answer = { .result = HTTP_ANSWERED, .status = 200, .body = STR(text) };
        struct auth_answer out;
        const char        *why;

        EXPECT(http_form_read(&answer, &out, &why));
        EXPECT(out.superuser);
        EXPECT_EQ(out.until_us, 1700000000500001);
        EXPECT_EQ(json_array_size(out.permissions), 1);
        json_decref(out.permissions);
        answer.body = STR("{\"result\":\"allow\",\"is_superuser\":1,\"expire_at\":0}");
        EXPECT(http_form_read(&answer, &out, &why));
        EXPECT(!out.superuser && out.permissions == NULL);
        EXPECT(out.until_us > 0);
}

SUITE(http_form, CASE(a_question_is_put_into_url_or_body), CASE(what_is_lacking_is_said),
      CASE(parameters_have_names), CASE(an_answer_is_read), CASE(no_answer_denies_and_says_why),
      CASE(what_comes_with_a_result_is_kept))
