/* The words of auth.chain. */
#include "services/auth/auth_http.h"
#include "services/auth/auth_jwt.h"
#include "services/auth/auth_link.h"
#include "services/auth/credentials.h"
#include "services/auth/proven.h"
#include "services/auth/scram.h"

const struct auth_kind *const auth_kinds[] = { &auth_kind_password_file, &auth_kind_clientid,
                                              &auth_kind_username, &auth_kind_jwt,
                                              &auth_kind_http, &auth_kind_scram,
                                              &auth_kind_proven, NULL };

const struct auth_kind *auth_kind_find(struct str word)
{
        for (unsigned i = 0; auth_kinds[i] != NULL; i++)
                if (str_eq(str_of(auth_kinds[i]->word), word))
                        return auth_kinds[i];
        return NULL;
}
