#include "census.h"

#include "base/memory.h"
#include "base/random.h"

static struct str key_of_session(const void *value)
{
        return str_from(&((const struct census_session *)value)->key, sizeof(uint64_t));
}

static struct str client_of_session(const void *value)
{
        return ((const struct census_session *)value)->client_id;
}

static struct str guid_of_message(const void *value)
{
        return str_from(&((const struct census_message *)value)->guid, sizeof(struct guid));
}

void census_init(struct census *census)
{
        struct hash_key key;

        random_secret(&key, sizeof key);        /* client ids are whatever clients have chosen */
        map_init(&census->sessions, key_of_session, key);
        map_init(&census->clients, client_of_session, key);
        map_init(&census->messages, guid_of_message, key);
}

void census_deinit(struct census *census)
{
        struct census_session *session;
        size_t                 at = 0;
        void                  *message;

        while ((session = map_next(&census->sessions, &at)) != NULL) {
                mem_free((char *)(uintptr_t)session->client_id.ptr);
                mem_free(session);
        }
        at = 0;
        while ((message = map_next(&census->messages, &at)) != NULL)
                mem_free(message);
        map_deinit(&census->sessions);
        map_deinit(&census->clients);
        map_deinit(&census->messages);
}

static bool add_session(struct census *census, uint64_t key, struct str client_id, bool *twice)
{
        struct census_session *session = mem_zalloc(sizeof *session);

        if (session == NULL)
                return false;
        session->key       = key;
        session->client_id = str_from(mem_dup(client_id), client_id.len);
        *twice             = map_find(&census->clients, client_id) != NULL;
        if (session->client_id.ptr == NULL ||
            map_find(&census->sessions, key_of_session(session)) ||
            !map_add(&census->sessions, session)) {
                mem_free((char *)(uintptr_t)session->client_id.ptr);
                mem_free(session);
                return false;
        }
        return *twice || map_add(&census->clients, session);
}

/* The one that is there, or a new one; NULL: no memory. */
static struct census_message *message_of(struct census *census, struct guid guid)
{
        struct census_message *message = census_message(census, guid);

        if (message != NULL)
                return message;
        message = mem_zalloc(sizeof *message);
        if (message == NULL)
                return NULL;
        message->guid = guid;
        if (map_add(&census->messages, message))
                return message;
        mem_free(message);
        return NULL;
}

bool census_add_body(struct census *census, struct guid guid)
{
        struct census_message *message = message_of(census, guid);

        if (message != NULL)
                message->present = true;
        return message != NULL;
}

static bool add_use(struct census *census, uint64_t key, struct guid guid)
{
        struct census_message *message = message_of(census, guid);

        if (message == NULL)
                return false;
        if (message->uses++ == 0)
                message->record = key;
        return true;
}

bool census_add(struct census *census, uint64_t key, const struct record *record, bool *twice)
{
        struct guid guid;

        *twice = false;
        if (record->kind == RECORD_SESSION &&
            !add_session(census, key, record->session.client_id, twice))
                return false;
        return !record_message(record, &guid) || add_use(census, key, guid);
}

const struct census_session *census_session(const struct census *census, uint64_t key)
{
        return map_find(&census->sessions, str_from(&key, sizeof key));
}

struct census_message *census_message(const struct census *census, struct guid guid)
{
        return map_find(&census->messages, str_from(&guid, sizeof guid));
}
