#include "client/asking.h"

#include <assert.h>

#include "base/memory.h"
#include "client/protocol.h"

static_assert((int)ACCESS_ADDRESS_SIZE >= (int)ADDRESS_TEXT_SIZE, "any address has room");

bool asking_begin(struct client *c)
{
        struct access_request *request;

        if (c->asking != NULL)
                return true;
        c->asking = slab_alloc(&c->manager->askings);
        if (c->asking == NULL)
                return false;
        request           = &c->asking->request;
        request->shard    = c->shard;
        request->answered = protocol_answered;
        request->asker    = c;
        request->notes    = TAKE(c->notes);
        asking_identify(c, request, c->asking->address);
        return true;
}

static void give_back(struct client *c)
{
        struct asking *asking = TAKE(c->asking);

        c->notes = TAKE(asking->request.notes);
        mem_free(asking->body);
        buffer_deinit(&asking->text);
        buffer_deinit(&asking->verdicts);
        slab_free(&c->manager->askings, asking);
}

/* An exchange goes on with the next AUTH. */
void asking_end(struct client *c)
{
        if (c->asking != NULL && c->state >= CLIENT_CONNECTED && !c->reauthenticating &&
            !c->asking->request.waiting && c->asking->body == NULL)
                give_back(c);
}

void asking_drop(struct client *c)
{
        if (c->asking != NULL) {
                access_cancel(&c->asking->request);
                give_back(c);
        }
        access_forget(&c->notes);
}

void asking_identify(struct client *c, struct access_request *request,
                     char address[static ACCESS_ADDRESS_SIZE])
{
        address_ip_text(transport_peer(c->transport), address);
        request->client_id    = c->client_id;
        request->username     = c->username;
        request->has_username = c->username.ptr != NULL;
        request->identified   = c->identified;
        request->address      = str_of(address);
        request->loopback     = transport_is_local(c->transport);
        request->anonymous    = c->listener->anonymous;
        request->id_is_its    = c->assigned || c->listener->identity_as_client_id;
}

struct access_note **asking_notes(struct client *c)
{
        return c->asking != NULL ? &c->asking->request.notes : &c->notes;
}
