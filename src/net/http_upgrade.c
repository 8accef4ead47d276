#include "net/http_upgrade.h"

#include <openssl/evp.h>
#include <string.h>

#include "net/network.h"
#include "net/origin.h"

enum { KEY_CHARS = 24, KEY_DIGITS = 22 }; /* 16 bytes in base64, which ends with == */

/* What of the request matters. */
struct request {
        struct str     method, target, version;
        struct str     host, origin, key, websocket_version;
        unsigned       hosts, origins, keys, versions; /* how often there was one */
        bool           upgrade;                        /* Upgrade has "websocket" */
        bool           connection;                     /* Connection has "upgrade" */
        bool           body;
        bool           offers, offers_mqtt, offers_mqttv31; /* sub-protocols */
        bool           forwarded; /* there was a field with the client's address */
        bool           forwarded_bad;
        struct address client;
};

static bool parse(struct str bytes, const struct upgrade_rules *rules, struct request *out,
                  struct upgrade_answer *answer);
static bool parse_first_line(struct str line, struct request *out);
static bool parse_field(struct str line, struct str *name, struct str *value);
static void take_field(struct request *r, const struct upgrade_rules *rules, struct str name,
                       struct str value);
static void take_forwarded(struct request *r, const struct upgrade_rules *rules, struct str list);
static bool path_known(struct str target, struct str paths);
static bool refuse(struct upgrade_answer *out, unsigned status, const char *why, struct str what);

/* ---- text ------------------------------------------------------------------------------------ */

static bool is_alnum(char c)
{
        return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_token(struct str s)
{
        for (size_t i = 0; i < s.len; i++)
                if (!is_alnum(s.ptr[i]) && (s.ptr[i] == 0 || !strchr("!#$%&'*+-.^_`|~", s.ptr[i])))
                        return false;
        return s.len > 0;
}

/* Without controls; RFC 7230, section 3.2, allows bytes above ASCII. */
static bool is_text(struct str s)
{
        for (size_t i = 0; i < s.len; i++)
                if (((unsigned char)s.ptr[i] < ' ' && s.ptr[i] != '\t') || s.ptr[i] == 0x7f)
                        return false;
        return true;
}

static bool list_has(struct str list, struct str word)
{
        struct str part;

        while (str_list_cut(&list, &part))
                if (str_same_word(part, word))
                        return true;
        return false;
}

static bool path_valid(struct str path)
{
        return str_starts(path, STR("/"));
}

bool upgrade_paths_valid(struct str list)
{
        return str_list_all(list, path_valid);
}

/* ---- the request ----------------------------------------------------------------------------- */

const char *upgrade_stranger(struct str bytes)
{
        if (bytes.len == 0 || (bytes.ptr[0] >= 'A' && bytes.ptr[0] <= 'Z'))
                return NULL;
        if (bytes.ptr[0] == 0x16)
                return "this is TLS, and the listener has none; use ws:// here, or a wss listener";
        if (bytes.ptr[0] == 0x10)
                return "this is MQTT without WebSocket; use a tcp listener for it";
        return "this is not HTTP";
}

/* An empty line is the end, whatever ends its lines: others than CRLF are refused, not awaited. */
size_t upgrade_size(struct str bytes, size_t looked)
{
        size_t at = looked > 2 ? looked - 2 : 0; /* the end of a line may be the last byte */

        while (at < bytes.len) {
                const char *end = memchr(bytes.ptr + at, '\n', bytes.len - at);

                if (end == NULL)
                        return 0;
                at = (size_t)(end - bytes.ptr) + 1;
                if (at < bytes.len && bytes.ptr[at] == '\n')
                        return at + 1;
                if (at + 1 < bytes.len && bytes.ptr[at] == '\r' && bytes.ptr[at + 1] == '\n')
                        return at + 2;
        }
        return 0;
}

/* The part of MQTT's: an answer names a sub-protocol that was offered, "mqtt" if it was
 * [MQTT-6.0.0-4]. */
static void choose_subprotocol(const struct request *r, struct upgrade_answer *out)
{
        if (r->offers_mqtt)
                out->subprotocol = "mqtt";
        else if (r->offers_mqttv31)
                out->subprotocol = "mqttv3.1";
}

/* What HTTP wants of it; the rest is of WebSocket. */
static bool judge_http(const struct request *r, const struct upgrade_rules *rules,
                       struct upgrade_answer *out)
{
        if (!str_eq(r->version, STR("HTTP/1.1")))
                return refuse(out, 505, "HTTP/1.1 is needed, also from a proxy in between",
                              r->version);
        if (!str_eq(r->method, STR("GET")))
                return refuse(out, 405, "only GET asks for a WebSocket", r->method);
        if (!path_known(r->target, rules->paths))
                return refuse(out, 404, "no such path; the option path has those there are",
                              r->target);
        if (r->hosts != 1)
                return refuse(out, 400, "it has not one field Host", r->host);
        if (r->body)
                return refuse(out, 400, "it has a body", (struct str){ 0 });
        return true;
}

static bool key_good(const struct request *r)
{
        struct str digits = r->key;

        if (r->keys != 1 || r->key.len != KEY_CHARS)
                return false;
        for (size_t i = 0; i < KEY_DIGITS; i++)
                if (!is_alnum(digits.ptr[i]) && digits.ptr[i] != '+' && digits.ptr[i] != '/')
                        return false;
        return str_eq(str_skip(digits, KEY_DIGITS), STR("=="));
}

static bool origin_allowed(struct str origin, struct str host, const struct upgrade_rules *rules)
{
        return str_trim(rules->origins).len > 0 ? origin_listed(origin, rules->origins)
                                                : origin_is_host(origin, host);
}

static bool judge_websocket(const struct request *r, const struct upgrade_rules *rules,
                            struct upgrade_answer *out)
{
        if (!r->upgrade)
                return refuse(out, 426, "it does not ask for a WebSocket: no Upgrade: websocket",
                              r->target);
        if (!r->connection)
                return refuse(out, 426, "Connection does not say Upgrade; a proxy must pass it on",
                              (struct str){ 0 });
        if (r->versions != 1 || !str_eq(r->websocket_version, STR("13")))
                return refuse(out, 426, "Sec-WebSocket-Version is not 13", r->websocket_version);
        if (!key_good(r))
                return refuse(out, 400, "Sec-WebSocket-Key is not one of 16 bytes", r->key);
        if (r->origins > 1 || (r->origins == 1 && !origin_allowed(r->origin, r->host, rules)))
                return refuse(out, 403,
                              "pages of this origin may not connect; the option origins "
                              "lists those that may",
                              r->origin);
        if (!r->offers_mqtt && !r->offers_mqttv31 && (r->offers || !rules->any_subprotocol))
                return refuse(out, 400, "it does not offer the sub-protocol mqtt",
                              (struct str){ 0 });
        return true;
}

/* Who is believed to know must say it, or everybody would be whoever the proxy is. */
static bool judge_client(const struct request *r, const struct upgrade_rules *rules,
                         const struct address *peer, struct upgrade_answer *out)
{
        if (rules->address_field.len == 0 || !networks_contain(rules->proxies, peer))
                return true;
        if (!r->forwarded)
                return refuse(out, 400, "a trusted proxy does not say whose request it is",
                              rules->address_field);
        if (r->forwarded_bad)
                return refuse(out, 400, "a trusted proxy names a client that is no address",
                              rules->address_field);
        out->client = r->client;
        return true;
}

void upgrade_judge(struct str request, const struct upgrade_rules *rules,
                   const struct address *peer, struct upgrade_answer *out)
{
        struct request r = { .hosts = 0 };

        *out = (struct upgrade_answer){ .status = 101 };
        if (!parse(request, rules, &r, out) || !judge_http(&r, rules, out) ||
            !judge_websocket(&r, rules, out) || !judge_client(&r, rules, peer, out))
                return;
        out->key = r.key;
        choose_subprotocol(&r, out);
}

void upgrade_refuse(struct upgrade_answer *out, unsigned status, const char *why)
{
        *out = (struct upgrade_answer){ .status = status, .why = why };
}

/* Always false, as what is refused. */
static bool refuse(struct upgrade_answer *out, unsigned status, const char *why, struct str what)
{
        upgrade_refuse(out, status, why);
        out->what = what;
        return false;
}

/* A line up to its CRLF, which must be one; false when there is none. */
static bool cut_line(struct str *rest, struct str *line)
{
        if (!str_cut(rest, '\n', line) || line->len == 0 || line->ptr[line->len - 1] != '\r')
                return false;
        line->len--;
        return is_text(*line);
}

static bool parse(struct str bytes, const struct upgrade_rules *rules, struct request *out,
                  struct upgrade_answer *answer)
{
        struct str line, name, value;
        unsigned   fields = 0;

        if (!cut_line(&bytes, &line) || !parse_first_line(line, out))
                return refuse(answer, 400, "the first line is not one of HTTP", (struct str){ 0 });
        for (;;) {
                if (!cut_line(&bytes, &line))
                        return refuse(answer, 400, "a line does not end with CRLF, or has controls",
                                      (struct str){ 0 });
                if (line.len == 0)
                        return true;
                if (!parse_field(line, &name, &value))
                        return refuse(answer, 400, "a line is no field: NAME: VALUE", line);
                if (++fields > UPGRADE_FIELDS_MAX)
                        return refuse(answer, 431, "it has too many fields", (struct str){ 0 });
                take_field(out, rules, name, value);
        }
}

static bool parse_first_line(struct str line, struct request *out)
{
        if (!str_cut(&line, ' ', &out->method) || !is_token(out->method) ||
            !str_cut(&line, ' ', &out->target) || out->target.len == 0)
                return false;
        out->version = line;
        return line.len == 8 && str_starts(line, STR("HTTP/")) && line.ptr[6] == '.';
}

static bool parse_field(struct str line, struct str *name, struct str *value)
{
        if (!str_cut(&line, ':', name) || !is_token(*name) || line.ptr == NULL)
                return false;
        *value = str_trim(line);
        return true;
}

static void take_offers(struct request *r, struct str list)
{
        struct str part;

        while (str_list_cut(&list, &part)) {
                r->offers |= part.len > 0;
                r->offers_mqtt |= str_eq(part, STR("mqtt"));
                r->offers_mqttv31 |= str_eq(part, STR("mqttv3.1"));
        }
}

/* Lists may come in parts; of the others there is to be one. */
static void take_field(struct request *r, const struct upgrade_rules *rules, struct str name,
                       struct str value)
{
        const struct {
                struct str  name;
                struct str *value;
                unsigned   *count;
        } singles[] = {
                {STR("Host"),                   &r->host,              &r->hosts   },
                { STR("Origin"),                &r->origin,            &r->origins },
                { STR("Sec-WebSocket-Key"),     &r->key,               &r->keys    },
                { STR("Sec-WebSocket-Version"), &r->websocket_version, &r->versions},
        };

        for (size_t i = 0; i < sizeof singles / sizeof singles[0]; i++) {
                if (!str_same_word(name, singles[i].name))
                        continue;
                *singles[i].value = value;
                ++*singles[i].count;
        }
        if (str_same_word(name, STR("Upgrade")))
                r->upgrade |= list_has(value, STR("websocket"));
        else if (str_same_word(name, STR("Connection")))
                r->connection |= list_has(value, STR("upgrade"));
        else if (str_same_word(name, STR("Sec-WebSocket-Protocol")))
                take_offers(r, value);
        else if (str_same_word(name, STR("Transfer-Encoding")))
                r->body = true;
        else if (str_same_word(name, STR("Content-Length")))
                r->body |= !str_eq(value, STR("0"));
        if (rules->address_field.len > 0 && str_same_word(name, rules->address_field))
                take_forwarded(r, rules, value);
}

/* An address with or without a port. */
static bool parse_client(struct str text, struct address *out)
{
        return address_parse_ip(text, out) ||
               (memchr(text.ptr, '.', text.len) != NULL && address_parse(text, out)) ||
               (text.ptr[0] == '[' && text.ptr[text.len - 1] != ']' && address_parse(text, out)) ||
               (text.ptr[0] == '[' && text.ptr[text.len - 1] == ']' &&
                address_parse_ip(str_from(text.ptr + 1, text.len - 2), out));
}

/* Each proxy adds whom it heard of at the end. So the client is the last that is no trusted proxy;
 * what stands before that may be made up. */
static void take_forwarded(struct request *r, const struct upgrade_rules *rules, struct str list)
{
        struct address address;
        struct str     part;

        while (str_list_cut(&list, &part)) {
                bool good = part.len > 0 && parse_client(part, &address);

                if (good && r->forwarded && networks_contain(rules->proxies, &address))
                        continue;
                r->forwarded = true;
                r->forwarded_bad = !good;
                if (good)
                        r->client = address;
        }
}

/* ---- who may connect ------------------------------------------------------------------------- */

/* "/mqtt?token=1" is at /mqtt, and so is "http://host/mqtt", which a proxy may send. */
static bool path_known(struct str target, struct str paths)
{
        struct str part, path;

        if (target.ptr[0] != '/') {
                const char *host = memmem(target.ptr, target.len, "://", 3);
                struct str  rest;

                if (host == NULL)
                        return false;
                rest = str_skip(target, (size_t)(host - target.ptr) + 3);
                if (memchr(rest.ptr, '/', rest.len) == NULL)
                        return false;
                target = str_skip(
                        rest, (size_t)((const char *)memchr(rest.ptr, '/', rest.len) - rest.ptr));
        }
        str_cut(&target, '?', &path);
        while (str_list_cut(&paths, &part))
                if (part.len > 0 && str_eq(part, path))
                        return true;
        return false;
}

/* ---- the answer ------------------------------------------------------------------------------ */

static const struct status {
        unsigned    status;
        const char *text, *fields;
} statuses[] = {
        { 400, "Bad Request", "" },
        { 403, "Forbidden", "" },
        { 404, "Not Found", "" },
        { 405, "Method Not Allowed", "Allow: GET\r\n" },
        { 426, "Upgrade Required", "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n" },
        { 431, "Request Header Fields Too Large", "" },
        { 505, "HTTP Version Not Supported", "" },
};

static const struct status *status_of(unsigned status)
{
        const struct status *row = statuses;

        while (row->status != status)
                row++;
        return row;
}

/* RFC 6455, section 4.2.2: proof that this request was read, and as one for a WebSocket. */
bool upgrade_proof(struct str key, char to[static UPGRADE_PROOF_SIZE])
{
        static const char guid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
        unsigned char     digest[EVP_MAX_MD_SIZE];
        char              proof[KEY_CHARS + sizeof guid];
        unsigned          size = 0;

        memcpy(proof, key.ptr, KEY_CHARS);
        memcpy(proof + KEY_CHARS, guid, sizeof guid);
        if (EVP_Digest(proof, sizeof proof - 1, digest, &size, EVP_sha1(), NULL) != 1)
                return false;
        EVP_EncodeBlock((unsigned char *)to, digest, (int)size);
        return true;
}

static bool write_accept(struct str key, struct buffer *to)
{
        char proof[UPGRADE_PROOF_SIZE];

        return upgrade_proof(key, proof) &&
               buffer_printf(to, "Sec-WebSocket-Accept: %s\r\n", proof);
}

bool upgrade_write(const struct upgrade_answer *answer, struct buffer *to)
{
        if (answer->status == 101)
                return buffer_printf(to, "HTTP/1.1 101 Switching Protocols\r\n"
                                         "Upgrade: websocket\r\nConnection: Upgrade\r\n") &&
                       write_accept(answer->key, to) &&
                       (answer->subprotocol == NULL ||
                        buffer_printf(to, "Sec-WebSocket-Protocol: %s\r\n", answer->subprotocol)) &&
                       buffer_printf(to, "\r\n");

        const struct status *row = status_of(answer->status);

        return buffer_printf(to,
                             "HTTP/1.1 %u %s\r\n%sConnection: %sclose\r\n"
                             "Content-Type: text/plain\r\nContent-Length: %zu\r\n\r\n%s.\n",
                             row->status, row->text, row->fields,
                             row->status == 426 ? "Upgrade, " : "", strlen(answer->why) + 2,
                             answer->why);
}
