/* The keys of authentication that are no rows of the option table: auth.user.N.username and
 * .password, auth.client.N.clientid and .password; and what of auth.chain its row cannot say. */
#include "broker/config.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

static_assert((int)AUTH_NAME_SIZE == (int)AUTH_SECRET_SIZE, "set_row() writes either");
static_assert((int)AUTH_WHY_SIZE == (int)OPTION_WHY_SIZE, "they say it in the same words");

static bool set_row(struct auth_rows *rows, const char *name_key, struct str rest, struct str value,
                    char *why);

bool config_set_auth(struct config *config, struct str key, struct str value, bool *good,
                     char why[static OPTION_WHY_SIZE])
{
        struct str users = STR("auth.user."), clients = STR("auth.client.");

        if (str_eq(key, STR("auth.chain"))) {
                *good = auth_chain_good(value, why);
                return !*good;          /* the option table takes it from here */
        }
        if (str_starts(key, users))
                *good = set_row(&config->auth.users, "username", str_skip(key, users.len), value,
                                why);
        else if (str_starts(key, clients))
                *good = set_row(&config->auth.clients, "clientid", str_skip(key, clients.len),
                                value, why);
        else
                return false;
        return true;
}

static bool parse_number(struct str digits, uint32_t *number)
{
        *number = 0;
        for (size_t i = 0; i < digits.len; i++) {
                if (digits.ptr[i] < '0' || digits.ptr[i] > '9')
                        return false;
                *number = *number * 10 + (uint32_t)(digits.ptr[i] - '0');
        }
        return digits.len > 0 && digits.len <= 9;
}

/* The row `number`, made if it is not there; NULL when there is no room. */
static struct auth_row *find_row(struct auth_rows *rows, uint32_t number)
{
        for (unsigned i = 0; i < rows->count; i++)
                if (rows->rows[i].number == number)
                        return &rows->rows[i];
        if (rows->count == AUTH_ROWS_MAX)
                return NULL;
        rows->rows[rows->count] = (struct auth_row){ .number = number };
        return &rows->rows[rows->count++];
}

static bool set_row(struct auth_rows *rows, const char *name_key, struct str rest, struct str value,
                    char *why)
{
        struct str digits;
        uint32_t   number;
        bool       is_name;

        str_cut(&rest, '.', &digits);
        is_name = str_eq(rest, str_of(name_key));
        if (!parse_number(digits, &number) || (!is_name && !str_eq(rest, STR("password")))) {
                snprintf(why, OPTION_WHY_SIZE, "unknown option; there are N.%s and N.password",
                         name_key);
                return false;
        }
        if (value.len == 0 || value.len >= AUTH_SECRET_SIZE || memchr(value.ptr, 0, value.len)) {
                snprintf(why, OPTION_WHY_SIZE, "it is a text of 1 to %d bytes",
                         AUTH_SECRET_SIZE - 1);
                return false;
        }

        struct auth_row *row = find_row(rows, number);

        if (row == NULL) {
                snprintf(why, OPTION_WHY_SIZE, "more than %d; use auth.password_file",
                         AUTH_ROWS_MAX);
                return false;
        }
        snprintf(is_name ? row->name : row->secret, AUTH_SECRET_SIZE, "%.*s", STR_ARGS(value));
        return true;
}

static bool same_rows(const struct auth_rows *a, const struct auth_rows *b)
{
        if (a->count != b->count)
                return false;
        for (unsigned i = 0; i < a->count; i++)
                if (a->rows[i].number != b->rows[i].number ||
                    strcmp(a->rows[i].name, b->rows[i].name) != 0 ||
                    strcmp(a->rows[i].secret, b->rows[i].secret) != 0)
                        return false;
        return true;
}

static void tell_rows(const char *key, const struct auth_rows *from, const struct auth_rows *to,
                      config_changed *tell, void *context)
{
        char old[16], fresh[16];

        if (same_rows(from, to))
                return;
        snprintf(old, sizeof old, "%u", from->count);
        snprintf(fresh, sizeof fresh, "%u", to->count);
        tell(context, &(struct config_change){ CONFIG_CHANGED, key, old, fresh, false });
}

void config_diff_auth(const struct config *from, const struct config *to, config_changed *tell,
                      void *context)
{
        tell_rows("auth.user", &from->auth.users, &to->auth.users, tell, context);
        tell_rows("auth.client", &from->auth.clients, &to->auth.clients, tell, context);
}
