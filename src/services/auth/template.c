#include "services/auth/template.h"

/* The values; ptr NULL: there is none. `scratch` is for those of one character. */
static struct str client_id(const struct access_request *r, char *scratch)
{
        (void)scratch;
        return r->client_id;
}

static struct str username(const struct access_request *r, char *scratch)
{
        (void)scratch;
        return r->has_username ? r->username : (struct str){ 0 };
}

static struct str password(const struct access_request *r, char *scratch)
{
        (void)scratch;
        return r->has_password ? r->password : (struct str){ 0 };
}

static struct str address(const struct access_request *r, char *scratch)
{
        (void)scratch;
        return r->address;
}

static struct str topic(const struct access_request *r, char *scratch)
{
        (void)scratch;
        return r->topic;
}

/* emqttd's numbers. */
static struct str access_number(const struct access_request *r, char *scratch)
{
        (void)scratch;
        return r->kind == ACCESS_PUBLISH ? STR("2") : STR("1");
}

static struct str action(const struct access_request *r, char *scratch)
{
        (void)scratch;
        return r->kind == ACCESS_PUBLISH     ? STR("publish")
               : r->kind == ACCESS_SUBSCRIBE ? STR("subscribe")
                                             : STR("connect");
}

static struct str qos(const struct access_request *r, char *scratch)
{
        *scratch = (char)('0' + r->qos);
        return str_from(scratch, 1);
}

static struct str retain(const struct access_request *r, char *scratch)
{
        (void)scratch;
        return r->retain ? STR("true") : STR("false");
}

static struct str protocol(const struct access_request *r, char *scratch)
{
        (void)r;
        (void)scratch;
        return STR("mqtt");
}

static const struct place {
        char        letter;                     /* behind %; 0: it has none */
        const char *name;                       /* in ${}; NULL: it has none */
        struct str (*value)(const struct access_request *request, char *scratch);
} places[] = {
        { 'u', "username", username },
        { 'c', "clientid", client_id },
        { 'a', "peerhost", address },
        { 'P', "password", password },
        { 't', "topic", topic },
        { 'A', NULL, access_number },
        { 'r', "proto_name", protocol },
        { 0, "action", action },
        { 0, "qos", qos },
        { 0, "retain", retain },
};

enum { PLACES = sizeof places / sizeof places[0] };

/* The place that the text begins with, and how many bytes name it; NULL: none. */
static const struct place *find_place(struct str text, size_t *len)
{
        for (unsigned i = 0; i < PLACES; i++) {
                struct str name = str_of(places[i].name);

                *len = 2;
                if (text.len >= 2 && text.ptr[0] == '%' && places[i].letter != 0 &&
                    text.ptr[1] == places[i].letter)
                        return &places[i];
                *len = name.len + 3;
                if (name.len > 0 && text.len >= *len && text.ptr[0] == '$' && text.ptr[1] == '{' &&
                    text.ptr[*len - 1] == '}' && str_starts(str_skip(text, 2), name))
                        return &places[i];
        }
        return NULL;
}

bool template_plain(struct buffer *to, struct str value)
{
        return buffer_append(to, value);
}

bool template_url(struct buffer *to, struct str value)
{
        static const char digits[] = "0123456789ABCDEF";

        if (!buffer_reserve(to, 3 * value.len))
                return false;
        for (size_t i = 0; i < value.len; i++) {
                unsigned char c = (unsigned char)value.ptr[i];
                bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                             (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_' || c == '~';

                if (plain) {
                        to->bytes[to->len++] = (char)c;
                        continue;
                }
                to->bytes[to->len++] = '%';
                to->bytes[to->len++] = digits[c >> 4];
                to->bytes[to->len++] = digits[c & 15];
        }
        return true;
}

/* What lies before the next place, and that. */
static const struct place *next_place(struct str *rest, struct str *before)
{
        for (size_t i = 0; i < rest->len; i++) {
                size_t              len;
                const struct place *place = find_place(str_skip(*rest, i), &len);
                bool percent = rest->ptr[i] == '%' && i + 1 < rest->len && rest->ptr[i + 1] == '%';

                if (place == NULL && !percent)
                        continue;
                *before = str_from(rest->ptr, percent ? i + 1 : i);
                *rest   = str_skip(*rest, percent ? i + 2 : i + len);
                if (place != NULL)
                        return place;
                return NULL;
        }
        *before = *rest;
        *rest   = (struct str){ 0 };
        return NULL;
}

enum template_result template_expand(struct str text, const struct access_request *request,
                                     template_write *write, struct buffer *to)
{
        while (text.len > 0) {
                struct str          before, value;
                char                scratch;
                const struct place *place = next_place(&text, &before);

                if (!buffer_append(to, before))
                        return TEMPLATE_MEMORY;
                if (place == NULL)
                        continue;
                value = place->value(request, &scratch);
                if (value.ptr == NULL)
                        return TEMPLATE_LACKS;
                if (!write(to, value))
                        return TEMPLATE_MEMORY;
        }
        return TEMPLATE_GOOD;
}

bool template_has(struct str text, char letter)
{
        while (text.len > 0) {
                struct str          before;
                const struct place *place = next_place(&text, &before);

                if (place != NULL && place->letter == letter)
                        return true;
        }
        return false;
}
