#include "broker/door.h"

#include <string.h>

#include "base/log.h"
#include "base/memory.h"
#include "broker/gate.h"

struct gate_set {
        unsigned     count;
        struct gate *gates[CONFIG_LISTENERS_MAX];
};

struct doors {
        struct broker       *broker;
        struct certificates *certificates;
        struct gate_set      now;
        struct gate_set      next;              /* prepared: those that stay, and new ones */
        struct gate         *retired;           /* their clients may still be here */
        struct tls_pace      paces[];           /* [shard_count], of all doors of a shard */
};

/* For one shard: one door opens, or closes. */
struct change_mail {
        struct mail  mail;
        struct gate *gate;
        bool         opens;
        bool         dismisses;                 /* closed: and nothing takes its place */
};

static void set_paces(struct doors *doors)
{
        for (unsigned i = 0; i < doors->broker->shard_count; i++) {
                struct shard   *shard   = doors->broker->shards[i];
                struct metrics *metrics = &shard->metrics;

                doors->paces[i] = (struct tls_pace){ .loop    = &shard->loop,
                                                     .good    = &metrics->tls_handshakes,
                                                     .resumed = &metrics->tls_resumed,
                                                     .failed  = &metrics->tls_failed };
        }
}

struct doors *doors_new(struct broker *broker, struct certificates *certificates)
{
        struct doors *doors = mem_zalloc(sizeof *doors +
                                         broker->shard_count * sizeof doors->paces[0]);

        if (doors == NULL)
                return NULL;
        doors->broker       = broker;
        doors->certificates = certificates;
        return doors;
}

static struct gate *find(const struct gate_set *set, const struct config_listener *listener)
{
        for (unsigned i = 0; i < set->count; i++) {
                const struct config_listener *its = &set->gates[i]->asked;

                if (its->type == listener->type && strcmp(its->name, listener->name) == 0)
                        return set->gates[i];
        }
        return NULL;
}

static bool has(const struct gate_set *set, const struct gate *gate)
{
        for (unsigned i = 0; i < set->count; i++) {
                if (set->gates[i] == gate)
                        return true;
        }
        return false;
}

/* `old`: whose place it takes, or NULL. */
static bool read_certificates(struct doors *doors, struct gate *gate, const struct gate *old)
{
        struct tls_config *tls = &gate->config.tls;
        char               why[TLS_WHY_SIZE];

        config_listener_tls(&gate->asked, tls);
        if (old != NULL && memcmp(&old->config.tls, tls, sizeof *tls) == 0)
                gate->certificates = old->certificates;
        else
                gate->certificates = certificates_prepare(doors->certificates, gate->name, tls,
                                                          why);
        return gate->certificates != NULL || gate_failed(gate, why);
}

static bool uses(const struct gate_set *set, const struct certificates_slot *slot)
{
        for (unsigned i = 0; i < set->count; i++) {
                if (set->gates[i]->certificates == slot)
                        return true;
        }
        return false;
}

/* Those that nobody uses any more go before others of the same name come; those that stay are read
 * anew, as an operator expects of a reload, and new ones have just been. */
static void commit_certificates(struct doors *doors)
{
        for (unsigned i = 0; i < doors->now.count; i++) {
                struct certificates_slot *slot = doors->now.gates[i]->certificates;

                if (slot != NULL && !uses(&doors->next, slot))
                        certificates_withdraw(slot);
        }
        certificates_reload(doors->certificates);
        for (unsigned i = 0; i < doors->next.count; i++) {
                struct certificates_slot *slot = doors->next.gates[i]->certificates;

                if (slot != NULL && !uses(&doors->now, slot))
                        certificates_commit(slot);
        }
}

bool doors_prepare(struct doors *doors, const struct config *config,
                   struct supervisor *supervisor)
{
        if (doors->paces[0].loop == NULL)
                set_paces(doors);
        doors->next.count = 0;
        for (unsigned i = 0; i < config->listener_count; i++) {
                const struct config_listener *wanted = &config->listeners[i];
                struct gate                  *old    = find(&doors->now, wanted);
                struct gate                  *gate   = old;

                if (old == NULL || !config_listener_same(&old->asked, wanted))
                        gate = gate_new(doors->broker, doors->paces, wanted);
                if (gate != NULL)
                        doors->next.gates[doors->next.count++] = gate;
                if (gate != NULL && gate != old && old != NULL)
                        gate->clients.root = client_listener_root(&old->clients);
                if (gate == NULL ||
                    (gate != old && listener_is_tls(wanted->type) &&
                     !read_certificates(doors, gate, old)) ||
                    (gate != old && !(old != NULL && strcmp(old->asked.bind, wanted->bind) == 0
                                              ? gate_share(gate, old)
                                              : gate_open(gate, supervisor)))) {
                        doors_abandon(doors);
                        return false;
                }
        }
        return true;
}

void doors_abandon(struct doors *doors)
{
        for (unsigned i = 0; i < doors->next.count; i++) {
                struct gate *gate = doors->next.gates[i];

                if (has(&doors->now, gate))
                        continue;
                if (gate->certificates != NULL && !uses(&doors->now, gate->certificates))
                        certificates_abandon(gate->certificates);
                gate_shut(gate);
                mem_free(gate);
        }
        doors->next.count = 0;
}

static void change_deliver(struct loop *loop, struct mail *mail)
{
        struct change_mail *change = (struct change_mail *)mail;
        struct shard       *shard  = shard_of(loop);

        on_shard(loop);
        if (change->opens) {
                gate_start(change->gate, shard);
                return;
        }
        gate_close(change->gate, shard);
        if (change->dismisses)
                client_dismiss(shard->broker->clients[loop->config.id],
                               client_listener_root(&change->gate->clients));
}

static const struct mail_ops change_ops = { "door_change", change_deliver, NULL };

static bool add_change(struct parcel **parcel, const struct change_mail *change)
{
        struct change_mail *mail = (struct change_mail *)(void *)parcel_append(
                parcel, &change_ops, sizeof *mail, MAIL_FROM_OUTSIDE);

        if (mail == NULL)
                return false;
        mail->gate      = change->gate;
        mail->opens     = change->opens;
        mail->dismisses = change->dismisses;
        return true;
}

/* For one shard: first what opens, then what closes. */
static bool add_changes(const struct doors *doors, struct parcel **parcel)
{
        const struct gate_set *now = &doors->now, *next = &doors->next;
        bool                   good = true;

        for (unsigned i = 0; i < next->count && good; i++) {
                if (!has(now, next->gates[i]))
                        good = add_change(parcel, &(struct change_mail){ .gate  = next->gates[i],
                                                                         .opens = true });
        }
        for (unsigned i = 0; i < now->count && good; i++) {
                struct gate *gate = now->gates[i];

                if (!has(next, gate))
                        good = add_change(parcel, &(struct change_mail){
                                                          .gate      = gate,
                                                          .dismisses = !find(next, &gate->asked) });
        }
        return good;
}

/* What is to be freed, but not before the shards are: clients know it. */
static void retire(struct doors *doors, struct gate *gate)
{
        if (find(&doors->next, &gate->asked) == NULL)
                atomic_store(&client_listener_root(&gate->clients)->gone, true);
        LOG(INFO, "listener.closed", F_TEXT("listener", gate->name),
            F_TEXT("address", gate->config.bind));
        gate_hide(gate);
        gate->older    = doors->retired;
        doors->retired = gate;
}

bool doors_commit(struct doors *doors)
{
        struct parcel *parcels[SHARDS_MAX] = { NULL };
        unsigned       shards = doors->broker->shard_count;
        bool           good   = true;

        for (unsigned i = 0; i < shards && good; i++)
                good = add_changes(doors, &parcels[i]);
        if (!good) {
                for (unsigned i = 0; i < shards; i++)
                        parcel_drop(parcels[i]);
                doors_abandon(doors);
                return false;
        }
        for (unsigned i = 0; i < doors->next.count; i++) {
                if (doors->next.gates[i]->old != NULL)
                        gate_take_file(doors->next.gates[i]);
        }
        for (unsigned i = 0; i < doors->now.count; i++) {
                if (!has(&doors->next, doors->now.gates[i]))
                        retire(doors, doors->now.gates[i]);
        }
        commit_certificates(doors);
        doors->now        = doors->next;
        doors->next.count = 0;
        for (unsigned i = 0; i < shards; i++) {
                if (parcels[i] != NULL)
                        loop_post(doors->broker->loops[i], parcels[i]);
        }
        return true;
}

void doors_hide(struct doors *doors)
{
        for (unsigned i = 0; i < doors->now.count; i++)
                gate_hide(doors->now.gates[i]);
}

void doors_shut(struct doors *doors)
{
        for (unsigned i = 0; i < doors->now.count; i++)
                gate_shut(doors->now.gates[i]);
        for (struct gate *gate = doors->retired; gate != NULL; gate = gate->older)
                gate_shut(gate);             /* whose shard did not get to it */
}

void doors_free(struct doors *doors)
{
        if (doors == NULL)
                return;
        while (doors->now.count > 0)
                mem_free(doors->now.gates[--doors->now.count]);
        while (doors->retired != NULL) {
                struct gate *gate = doors->retired;

                doors->retired = gate->older;
                mem_free(gate);
        }
        mem_free(doors);
}

void doors_close(struct doors *doors, struct shard *shard)
{
        for (unsigned i = 0; i < doors->now.count; i++)
                gate_close(doors->now.gates[i], shard);
}

void doors_see(const struct doors *doors,
               void (*see)(void *context, const struct door_view *view), void *context)
{
        for (unsigned i = 0; i < doors->now.count; i++) {
                struct gate            *gate = doors->now.gates[i];
                struct client_listener *root = client_listener_root(&gate->clients);
                struct door_view        view = {
                        .name        = gate->name,
                        .address     = gate->config.bind,
                        .connections = atomic_load(&root->connections),
                        .max         = gate->config.max_connections,
                        .refused     = atomic_load(&root->refused),
                        .denied      = atomic_load(&root->denied),
                };

                see(context, &view);
        }
}
