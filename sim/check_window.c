/* Packet ids of one connection, from the PUBLISH that was read to the PUBACK or PUBCOMP that was
 * written. The broker frees them later than that, so it has at least these open. */
#include "sim.h"

static unsigned find(const struct sim_client *client, uint16_t id)
{
        unsigned i = 0;

        while (i < client->open_count && client->open[i] != id)
                i++;
        return i;
}

bool check_opened(struct sim *sim, struct sim_client *client, uint16_t id)
{
        if (find(client, id) < client->open_count)
                return client->record.held[id] != 0 ||
                       sim_fail(sim, "%s: packet id %u used again before PUBCOMP", client->name,
                                id);
        if (client->open_count == client->link->window || client->open_count == OPEN_MAX)
                return sim_fail(sim, "%s: %u in flight, beyond the window", client->name,
                                client->open_count + 1);
        client->open[client->open_count++] = id;
        return true;
}

void check_closed_id(struct sim_client *client, uint16_t id)
{
        unsigned i = find(client, id);

        if (i < client->open_count)
                client->open[i] = client->open[--client->open_count];
}
