#include "services/auth/scram.h"

#include <openssl/crypto.h>
#include <stdio.h>

#include "base/base64.h"
#include "base/map.h"
#include "base/memory.h"
#include "base/random.h"
#include "services/auth/names_file.h"
#include "services/auth/scram_dialogue.h"

enum { NONCE_BYTES = 18 };      /* 24 letters */

static_assert(BASE64_SIZE(NONCE_BYTES) == SCRAM_NONCE_SIZE, "a nonce fits");

struct verifier {
        struct scram_secret secret;
        unsigned            line;
        uint32_t            name_len;
        char                name[];
};

struct verifiers {
        struct auth_data data;
        struct map       by_name;       /* owns its rows */
        struct verifier *first;         /* of the file */
        char             wrong[128];
};

/* An exchange, between two packets of its client. */
struct exchange {
        struct access_note    note;
        struct scram_dialogue dialogue;
        struct scram_secret   secret;
        bool                  known;    /* there is such a user */
};

static struct str name_of(const void *value)
{
        const struct verifier *row = value;

        return str_from(row->name, row->name_len);
}

/* ---- the exchange ---------------------------------------------------------------------------- */

static void exchange_free(struct access_note *note)
{
        struct exchange *exchange = list_entry(note, struct exchange, note);

        scram_dialogue_deinit(&exchange->dialogue);
        OPENSSL_cleanse(&exchange->secret, sizeof exchange->secret);
        mem_free(exchange);
}

/* For a user that there is not: what looks like a secret, the same each time for the same name, as
 * long as the file begins as it does. Nobody has its password. */
static bool invent(const struct verifiers *all, struct str name, struct scram_secret *out)
{
        const struct scram_secret *like = &all->first->secret;
        uint8_t                    bytes[SCRAM_SALT_MAX];

        *out = *like;
        if (!scram_mac(like->server_key, name, bytes) ||
            !scram_mac(like->stored_key, name, bytes + SCRAM_KEY_SIZE))
                return false;
        memcpy(out->salt, bytes, sizeof bytes);
        random_secret(out->stored_key, SCRAM_KEY_SIZE);
        random_secret(out->server_key, SCRAM_KEY_SIZE);
        return true;
}

static enum access_verdict deny(struct access_request *request, const char *why)
{
        request->reason = REASON_NOT_AUTHORIZED;        /* the same whatever it was */
        request->why    = why;
        return ACCESS_DENY;
}

ON_SHARD static enum access_verdict begin(const struct auth_link *link,
                                          struct access_request  *request)
{
        const struct auth_data  *data     = auth_link_data(link, request->shard);
        const struct verifiers  *all      = list_entry(data, struct verifiers, data);
        struct exchange         *exchange = mem_zalloc(sizeof *exchange);
        uint8_t                  random[NONCE_BYTES];
        char                     nonce[SCRAM_NONCE_SIZE];

        if (exchange == NULL)
                return deny(request, "no memory");
        exchange->note = (struct access_note){ .owner = link, .brief = true,
                                               .free = exchange_free };
        access_keep(request, &exchange->note);

        const char *wrong = scram_hear_first(&exchange->dialogue, request->data);

        if (wrong != NULL)
                return deny(request, wrong);
        request->identity = buffer_str(&exchange->dialogue.user);

        const struct verifier *row = map_find(&all->by_name, request->identity);

        exchange->known = row != NULL;
        if (row != NULL)
                exchange->secret = row->secret;
        else if (!invent(all, request->identity, &exchange->secret))
                return deny(request, "no memory");
        random_secret(random, sizeof random);
        base64_encode(str_from(random, sizeof random), nonce);
        request->data_out = scram_say_first(&exchange->dialogue, &exchange->secret, str_of(nonce));
        return request->data_out.len > 0 ? ACCESS_CONTINUE : deny(request, "no memory");
}

static enum access_verdict go_on(struct access_request *request, struct exchange *exchange)
{
        const char *wrong = scram_hear_last(&exchange->dialogue, &exchange->secret, request->data);

        request->identity = buffer_str(&exchange->dialogue.user);
        if (wrong != NULL || !exchange->known)
                return deny(request, exchange->known ? wrong : "there is no such user");
        request->data_out = scram_say_last(&exchange->dialogue);
        return ACCESS_ALLOW;
}

static enum access_verdict check(void *context, struct access_request *request)
{
        struct access_note *note;

        on_shard(&request->shard->loop);
        note = access_note(request, context);
        request->data_out = (struct str){ 0 };
        return note != NULL ? go_on(request, list_entry(note, struct exchange, note))
                            : begin(context, request);
}

/* ---- auth.scram.file ------------------------------------------------------------------------- */

static void verifiers_free(struct auth_data *data)
{
        struct verifiers *all = list_entry(data, struct verifiers, data);
        struct verifier  *row;
        size_t            at = 0;

        while ((row = map_next(&all->by_name, &at)) != NULL) {
                OPENSSL_cleanse(row, sizeof *row);
                mem_free(row);
        }
        map_deinit(&all->by_name);
        mem_free(all);
}

static const char *take_line(void *context, struct str name, struct str value, unsigned line)
{
        struct verifiers      *all  = context;
        const struct verifier *twin = map_find(&all->by_name, name);
        struct scram_secret    secret;
        const char            *wrong = scram_secret_parse(value, &secret);
        struct verifier       *row;

        if (twin != NULL) {
                snprintf(all->wrong, sizeof all->wrong, "its name stands in line %u already",
                         twin->line);
                return all->wrong;
        }
        if (wrong != NULL)
                return wrong;
        row = mem_alloc(sizeof *row + name.len);
        if (row == NULL)
                return "";
        row->secret   = secret;
        row->line     = line;
        row->name_len = (uint32_t)name.len;
        memcpy(row->name, name.ptr, name.len);
        if (!map_add(&all->by_name, row)) {
                mem_free(row);
                return "";
        }
        all->first = all->first != NULL ? all->first : row;
        all->data.entries++;
        return NULL;
}

static struct auth_data *load(const struct auth_config *config, char why[static AUTH_WHY_SIZE])
{
        struct verifiers *all = mem_zalloc(sizeof *all);
        struct hash_key   key;

        why[0] = '\0';
        if (all == NULL)
                return NULL;
        random_secret(&key, sizeof key);
        auth_data_init(&all->data, verifiers_free);
        map_init(&all->by_name, name_of, key);
        if (names_file_read(config->scram_file, take_line, all, why)) {
                if (all->first != NULL)
                        return &all->data;
                snprintf(why, AUTH_WHY_SIZE, "%.400s: there is nobody in it; linnet passwd --scram "
                         "adds a user", config->scram_file);
        }
        auth_data_drop(&all->data);
        return NULL;
}

static bool same_secret(const struct scram_secret *a, const struct scram_secret *b)
{
        return a->rounds == b->rounds && a->salt_len == b->salt_len &&
               CRYPTO_memcmp(a->salt, b->salt, a->salt_len) == 0 &&
               CRYPTO_memcmp(a->stored_key, b->stored_key, SCRAM_KEY_SIZE) == 0 &&
               CRYPTO_memcmp(a->server_key, b->server_key, SCRAM_KEY_SIZE) == 0;
}

static void lost(const struct auth_data *from, const struct auth_data *to,
                 void (*tell)(void *context, struct str username), void *context)
{
        const struct verifiers *before = list_entry(from, const struct verifiers, data);
        const struct verifiers *after  = list_entry(to, const struct verifiers, data);
        const struct verifier  *was, *is;
        size_t                  at = 0;

        while ((was = map_next(&before->by_name, &at)) != NULL) {
                is = map_find(&after->by_name, name_of(was));
                if (is == NULL || !same_secret(&was->secret, &is->secret))
                        tell(context, name_of(was));
        }
}

static const char *lacks(const struct auth_config *config)
{
        return config->scram_file[0] != '\0' ? NULL : "auth.scram.file = FILE";
}

static const char *file_path(const struct auth_config *config)
{
        return config->scram_file;
}

const struct auth_kind auth_kind_scram = {
        .word     = "scram",
        .provider = { .name   = "scram",
                      .kinds  = ACCESS_CONNECTS,
                      .method = { "SCRAM-SHA-256", 13 },
                      .check  = check },
        .lacks    = lacks,
        .load     = load,
        .file     = file_path,
        .lost     = lost,
};
