/* libcurl in our loop: its sockets are watches, its timer is one of ours. */
#include <string.h>

#include "base/memory.h"
#include "net/http_call.h"

struct http_socket {
        struct watch        watch;
        struct http_client *client;
        struct list         in_sockets;
};

static const char MEMORY[] = "no memory";

/* ---- answers --------------------------------------------------------------------------------- */

static size_t on_body(char *bytes, size_t size, size_t count, void *context)
{
        struct http_call *call = context;
        size_t            len  = size * count;
        size_t            max  = call->target->config.answer_bytes_max;

        if (len > max - buffer_len(&call->body)) {
                call->too_large = true;
                return 0;
        }
        return buffer_append(&call->body, str_from(bytes, len)) ? len : 0;
}

static size_t on_header(char *bytes, size_t size, size_t count, void *context)
{
        struct http_call *call = context;

        (void)bytes;
        call->header_bytes += size * count;
        call->too_large |= call->header_bytes > HTTP_HEADER_BYTES_MAX;
        return call->too_large ? 0 : size * count;
}

static struct http_answer answer_of(const struct http_call *call, CURLcode code)
{
        struct http_answer answer = { .result = HTTP_FAILED, .why = curl_easy_strerror(code) };
        long               status = 0;

        if (code == CURLE_OK) {
                curl_easy_getinfo(call->easy, CURLINFO_RESPONSE_CODE, &status);
                answer = (struct http_answer){ .result = HTTP_ANSWERED,
                                               .status = (unsigned)status,
                                               .body   = buffer_str(&call->body) };
        } else if (code == CURLE_OPERATION_TIMEDOUT) {
                answer.result = HTTP_TIMEOUT;
        } else if (call->too_large) {
                answer.result = HTTP_TOO_LARGE;
                answer.why    = "the answer is too large";
        }
        return answer;
}

ON_SHARD static void take_finished(struct http_client *client)
{
        CURLMsg *message;
        int      left;

        while ((message = curl_multi_info_read(client->multi, &left)) != NULL) {
                struct http_call *call = NULL;

                if (message->msg != CURLMSG_DONE)
                        continue;
                curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&call);
                call->answer = answer_of(call, message->data.result);
                http_call_done(call);
        }
}

/* ---- sockets and the timer ------------------------------------------------------------------- */

static void on_ready(struct watch *watch, unsigned events)
{
        struct http_client *client  = list_entry(watch, struct http_socket, watch)->client;
        int                 running = 0, what = 0;

        on_shard(&client->loop);
        if (events & POLL_READ)
                what |= CURL_CSELECT_IN;
        if (events & POLL_WRITE)
                what |= CURL_CSELECT_OUT;
        curl_multi_socket_action(client->multi, watch->fd, what, &running);
        take_finished(client);
}

static void socket_free(struct http_socket *socket)
{
        poll_remove(&socket->watch);
        list_remove(&socket->in_sockets);
        mem_free(socket);
}

static struct http_socket *socket_new(struct http_client *client, curl_socket_t fd, unsigned wants)
{
        struct http_socket *socket = mem_zalloc(sizeof *socket);

        if (socket == NULL)
                return NULL;
        socket->client      = client;
        socket->watch.fd    = fd;
        socket->watch.ready = on_ready;
        list_push_back(&client->sockets, &socket->in_sockets);
        if (poll_add(client->loop.config.poll, &socket->watch, wants) &&
            curl_multi_assign(client->multi, fd, socket) == CURLM_OK)
                return socket;
        socket_free(socket);
        return NULL;
}

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *context, void *known)
{
        struct http_client *client = context;
        struct http_socket *socket = known;
        unsigned            wants  = 0;

        (void)easy;
        if (what == CURL_POLL_REMOVE) {
                if (socket != NULL)
                        socket_free(socket);
                return 0;
        }
        if (what == CURL_POLL_IN || what == CURL_POLL_INOUT)
                wants |= POLL_READ;
        if (what == CURL_POLL_OUT || what == CURL_POLL_INOUT)
                wants |= POLL_WRITE;
        if (socket == NULL)
                return socket_new(client, fd, wants) != NULL ? 0 : -1;
        poll_change(&socket->watch, wants);
        return 0;
}

static int on_timer_wanted(CURLM *multi, long after_ms, void *context)
{
        struct http_client *client = context;

        (void)multi;
        on_shard(&client->loop);
        if (after_ms < 0)
                loop_timer_cancel(&client->loop, &client->timer);
        else
                loop_timer(&client->loop, &client->timer, (uint64_t)after_ms);
        return 0;
}

static void on_time(struct loop *loop, struct timer *timer)
{
        struct http_client *client  = list_entry(timer, struct http_client, timer);
        int                 running = 0;

        on_shard(loop);
        curl_multi_socket_action(client->multi, CURL_SOCKET_TIMEOUT, 0, &running);
        take_finished(client);
}

bool http_transfers_init(struct http_client *client)
{
        long   max   = (long)client->config.connections_max;
        CURLM *multi = curl_multi_init();

        list_init(&client->sockets);
        client->multi      = multi;
        client->timer.fire = on_time;
        return multi != NULL &&
               curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, on_socket) == CURLM_OK &&
               curl_multi_setopt(multi, CURLMOPT_SOCKETDATA, client) == CURLM_OK &&
               curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, on_timer_wanted) == CURLM_OK &&
               curl_multi_setopt(multi, CURLMOPT_TIMERDATA, client) == CURLM_OK &&
               curl_multi_setopt(multi, CURLMOPT_PIPELINING, CURLPIPE_NOTHING) == CURLM_OK &&
               curl_multi_setopt(multi, CURLMOPT_MAX_TOTAL_CONNECTIONS, max) == CURLM_OK &&
               curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, max) == CURLM_OK;
}

void http_transfers_deinit(struct http_client *client)
{
        if (client->multi == NULL)
                return;
        curl_multi_setopt(client->multi, CURLMOPT_SOCKETFUNCTION, NULL);
        curl_multi_setopt(client->multi, CURLMOPT_TIMERFUNCTION, NULL);
        while (!list_empty(&client->sockets))
                socket_free(list_entry(client->sockets.next, struct http_socket, in_sockets));
        loop_timer_cancel(&client->loop, &client->timer);
        curl_multi_cleanup(TAKE(client->multi));
}

/* ---- one request ----------------------------------------------------------------------------- */

/* Without "Expect: 100-continue", which would cost a round trip. */
static bool add_lines(struct http_call *call)
{
        struct str rest = call->request.headers, line;

        call->lines = curl_slist_append(NULL, "Expect:");
        if (call->lines == NULL)
                return false;
        while (str_cut(&rest, '\n', &line)) {
                char              *text = line.len > 0 ? mem_dup(line) : NULL;
                struct curl_slist *more = text != NULL ? curl_slist_append(call->lines, text)
                                                       : NULL;

                mem_free(text);
                if (line.len > 0 && more == NULL)
                        return false;
        }
        return true;
}

#define SET(option, value) (curl_easy_setopt(easy, CURLOPT_##option, (value)) == CURLE_OK)

static bool set_limits(CURL *easy, const struct http_target_config *config)
{
        return SET(PROTOCOLS_STR, "http,https") && SET(PROXY, "") && SET(NOSIGNAL, 1L) &&
               SET(FOLLOWLOCATION, 0L) && SET(HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1) &&
               SET(SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2) && SET(SSL_VERIFYPEER, 1L) &&
               SET(SSL_VERIFYHOST, 2L) && SET(QUICK_EXIT, 1L) &&
               SET(CONNECTTIMEOUT_MS, (long)config->connect_timeout_ms) &&
               SET(TIMEOUT_MS, (long)config->timeout_ms) &&
               (config->ca_file == NULL || SET(CAINFO, config->ca_file)) &&
               (config->cert_file == NULL || SET(SSLCERT, config->cert_file)) &&
               (config->key_file == NULL || SET(SSLKEY, config->key_file));
}

static bool set_request(CURL *easy, struct http_call *call)
{
        const struct http_request *request = &call->request;

        return SET(URL, request->url.ptr) && SET(USERAGENT, "linnet") && SET(PRIVATE, call) &&
               SET(WRITEFUNCTION, on_body) && SET(WRITEDATA, call) &&
               SET(HEADERFUNCTION, on_header) && SET(HEADERDATA, call) &&
               SET(HTTPHEADER, call->lines) &&
               (request->method == HTTP_GET ||
                (SET(POST, 1L) && SET(POSTFIELDSIZE, (long)request->body.len) &&
                 SET(POSTFIELDS, request->body.ptr)));
}

#undef SET

bool http_transfer_begin(struct http_call *call)
{
        call->easy = curl_easy_init();
        if (call->easy != NULL && add_lines(call) &&
            set_limits(call->easy, &call->target->config) && set_request(call->easy, call) &&
            curl_multi_add_handle(call->target->client->multi, call->easy) == CURLM_OK)
                return true;
        call->answer = (struct http_answer){ .result = HTTP_FAILED, .why = MEMORY };
        return false;
}

void http_transfer_end(struct http_call *call)
{
        if (call->easy != NULL) {
                curl_multi_remove_handle(call->target->client->multi, call->easy);
                curl_easy_cleanup(TAKE(call->easy));
        }
        curl_slist_free_all(TAKE(call->lines));
}
