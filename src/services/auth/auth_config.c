#include "services/auth/auth_config.h"

#include <ctype.h>
#include <stdio.h>

#include "services/auth/auth_link.h"

void auth_config_init(struct auth_config *config)
{
        *config = (struct auth_config){
                .workers       = 1,
                .queue_max     = 1000,
                .cache_entries = 10000,
                .cache_ttl_ms  = 3600000,
                .jwt = { .jwks_refresh_ms = 300000,
                         .superuser_claim = "is_superuser",
                         .acl_claim       = "acl",
                         .leeway_s        = 10,
                         .end_with_token  = true },
                .http = { .requests              = { { .params = "clientid=%c,username=%u,"
                                                                 "password=%P" },
                                                     { .params = "clientid=%c,username=%u" },
                                                     { .params = "access=%A,username=%u,"
                                                                 "clientid=%c,ipaddr=%a,"
                                                                 "topic=%t" } },
                          .connect_timeout_ms    = 2000,
                          .timeout_ms            = 5000,
                          .cache_ttl_ms          = 10000,
                          .cache_negative_ttl_ms = 1000,
                          .cache_max             = 100000,
                          .circuit_failures      = 5,
                          .circuit_window_ms     = 10000,
                          .circuit_pause_ms      = 5000 },
        };
}

bool auth_chain_next(struct str *rest, struct str *word)
{
        while (str_cut(rest, ',', word)) {
                while (word->len > 0 && isspace((unsigned char)word->ptr[0]))
                        *word = str_skip(*word, 1);
                while (word->len > 0 && isspace((unsigned char)word->ptr[word->len - 1]))
                        word->len--;
                if (word->len > 0)
                        return true;
        }
        return false;
}

static void unknown_word(struct str word, char why[static AUTH_WHY_SIZE])
{
        int used = snprintf(why, AUTH_WHY_SIZE, "\"%.*s\" is no provider; there are",
                            (int)(word.len < 64 ? word.len : 64), word.ptr);

        for (unsigned i = 0; auth_kinds[i] != NULL && used < AUTH_WHY_SIZE; i++)
                used += snprintf(why + used, (size_t)(AUTH_WHY_SIZE - used), "%s %s",
                                 i > 0 ? "," : "", auth_kinds[i]->word);
}

bool auth_chain_good(struct str chain, char why[static AUTH_WHY_SIZE])
{
        const struct auth_kind *seen[AUTH_CHAIN_MAX];
        unsigned                count = 0;
        struct str              word;

        while (auth_chain_next(&chain, &word)) {
                const struct auth_kind *kind = auth_kind_find(word);

                if (kind == NULL) {
                        unknown_word(word, why);
                        return false;
                }
                for (unsigned i = 0; i < count; i++) {
                        if (seen[i] != kind)
                                continue;
                        snprintf(why, AUTH_WHY_SIZE, "%s stands there twice", kind->word);
                        return false;
                }
                if (count == AUTH_CHAIN_MAX) {
                        snprintf(why, AUTH_WHY_SIZE, "more than %d words", AUTH_CHAIN_MAX);
                        return false;
                }
                seen[count++] = kind;
        }
        return true;
}

static bool rows_good(const struct auth_rows *rows, const char *table, const char *key,
                      char why[static AUTH_WHY_SIZE])
{
        for (unsigned i = 0; i < rows->count; i++) {
                const struct auth_row *row = &rows->rows[i];

                if (row->name[0] == '\0' || row->secret[0] == '\0') {
                        snprintf(why, AUTH_WHY_SIZE, "auth.%s.%u lacks its %s", table, row->number,
                                 row->name[0] == '\0' ? key : "password");
                        return false;
                }
                for (unsigned j = 0; j < i; j++) {
                        if (!str_eq(str_of(rows->rows[j].name), str_of(row->name)))
                                continue;
                        snprintf(why, AUTH_WHY_SIZE, "auth.%s.%u and auth.%s.%u have one %s, %s",
                                 table, rows->rows[j].number, table, row->number, key, row->name);
                        return false;
                }
        }
        return true;
}

bool auth_config_good(const struct auth_config *config, const char **where,
                      char why[static AUTH_WHY_SIZE])
{
        struct str rest = str_of(config->chain), word;

        *where = NULL;
        if (!rows_good(&config->users, "user", "username", why) ||
            !rows_good(&config->clients, "client", "clientid", why))
                return false;
        while (auth_chain_next(&rest, &word)) {
                const struct auth_kind *kind  = auth_kind_find(word);
                const char             *lacks = kind->lacks(config);

                if (lacks == NULL)
                        continue;
                *where = config->chain_place[0] != '\0' ? config->chain_place : NULL;
                snprintf(why, AUTH_WHY_SIZE, "auth.chain: %s wants %s", kind->word, lacks);
                return false;
        }
        return true;
}
