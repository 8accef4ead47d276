#include "broker/server.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/random.h"
#include "broker/door.h"
#include "broker/machine.h"
#include "broker/rules.h"
#include "broker/worker.h"
#include "core/alarm.h"
#include "core/shard.h"
#include "net/http_client.h"
#include "services/admin/admin.h"
#include "services/auth/auth.h"
#include "services/certificates/certificates.h"
#include "services/guard/guard.h"
#include "services/modules/delayed.h"
#include "services/store/store.h"
#include "services/sys/sys.h"

/* An actor that is no shard, with a thread of its own. */
struct beside {
        pthread_t    thread;
        struct loop *loop;                      /* NULL: it does not run */
};

/* Old snapshots are kept until the end: a shard may still be reading one. */
struct snapshot {
        struct snapshot *older;
        struct settings  settings;
};

struct server {
        struct config           config;
        struct broker           broker;
        struct workers         *workers;
        struct doors           *doors;
        struct supervisor      *supervisor;     /* the caller's */
        struct snapshot        *snapshots;
        struct store           *store;          /* NULL: durability = memory */
        struct beside           store_beside;
        struct certificates    *certificates;
        struct beside           certificates_beside;
        struct admin           *admin;
        struct sys             *sys;
        struct delayed         *delayed;
        struct guard           *guard;
        struct rules            rules;
        struct auth            *auth;
        struct http_client     *http;           /* NULL: nobody wants it */
        struct beside           http_beside;
};

struct settings_mail {
        struct mail            mail;
        const struct settings *settings;
};

static const struct settings *snapshot_add(struct server *server, const struct settings *settings)
{
        struct snapshot *snapshot = mem_alloc(sizeof *snapshot);

        if (snapshot == NULL)
                return NULL;
        *snapshot         = (struct snapshot){ server->snapshots, *settings };
        server->snapshots = snapshot;
        return &snapshot->settings;
}

/* ---- the start list -------------------------------------------------------------------------- */

static bool open_data_dir(struct server *server)
{
        const char *path = server->config.data_dir;

        if (mkdir(path, 0700) != 0 && errno != EEXIST) {
                LOG(ERROR, "data_dir.unusable", F_TEXT("path", path),
                    F_TEXT("reason", strerror(errno)), F_TEXT("hint", "set data_dir"));
                return false;
        }
        LOG(INFO, "data_dir.open", F_TEXT("path", path));
        return true;
}

static bool open_broker(struct server *server)
{
        uint64_t seed;
        unsigned shards = server->config.shards;

        if (shards == 0) {
                long cores = sysconf(_SC_NPROCESSORS_ONLN);
                shards = cores < 1 ? 1 : cores > SHARDS_MAX ? SHARDS_MAX : (unsigned)cores;
        }
        random_secret(&seed, sizeof seed);
        if (!broker_init(&server->broker, shards, server->config.node_name, seed))
                return false;
        server->broker.started_us = clock_read().wall_us;
        server->broker.machine_memory = machine_memory("");
        server->workers           = workers_new(&server->broker);
        return server->workers != NULL;
}

static bool open_store(struct server *server)
{
        struct loop_config config = { .poll = NULL };
        struct engine     *engine;
        char               why[256];

        if (server->config.durability == DURABILITY_MEMORY) {
                LOG(WARNING, "store.off", F_TEXT("why", "durability = memory: a stop forgets all"));
                return true;
        }
        if (!engine_lmdb_check(server->config.data_dir, why) ||
            (engine = engine_lmdb_open(server->config.data_dir, false, why)) == NULL) {
                LOG(ERROR, "store.unusable", F_TEXT("path", server->config.data_dir),
                    F_TEXT("reason", why));
                return false;
        }
        config.poll = poll_epoll_new();
        if (config.poll != NULL)
                server->store = store_new(&server->broker, engine, server->config.durability,
                                          &config);
        if (server->store != NULL)
                return true;
        poll_free(config.poll);
        engine->ops->close(engine);
        return false;
}

static bool recover_store(struct server *server)
{
        return server->store == NULL || store_recover(server->store);
}

static void close_store(struct server *server)
{
        store_free(server->store);
}

static bool open_admin(struct server *server)
{
        struct poll *poll = poll_epoll_new();

        if (poll != NULL)
                server->admin = admin_new(&server->broker, poll);
        if (server->admin == NULL)
                poll_free(poll);
        return server->admin != NULL;
}

static void close_admin(struct server *server)
{
        admin_free(server->admin);
}

static bool open_services(struct server *server)
{
        server->sys     = sys_new(&server->broker);
        server->delayed = delayed_new(&server->broker);
        server->guard   = guard_new(&server->broker, server->config.data_dir);
        if (server->guard != NULL)
                guard_load(server->guard);
        return server->sys != NULL && server->delayed != NULL && server->guard != NULL;
}

static bool open_rules(struct server *server)
{
        return rules_open(&server->rules, &server->broker, &server->config);
}

static void close_rules(struct server *server)
{
        rules_close(&server->rules);
}

static void circuit_changed(void *context, const char *target, const char *why)
{
        struct server *server = context;

        if (why != NULL)
                LOG(WARNING, "http.circuit_open", F_TEXT("target", target), F_TEXT("why", why));
        else
                LOG(INFO, "http.circuit_closed", F_TEXT("target", target));
        alarm_post(&server->broker, "http_failing", str_of(target),
                   why != NULL ? "an HTTP service fails all the time" : NULL);
}

static bool open_http(struct server *server)
{
        const struct http_client_config config = {
                .connections_max = server->config.http_connections,
                .calls_max       = server->config.http_max_calls,
                .circuit_changed = circuit_changed,
                .context         = server,
        };
        struct loop_config loop = { .poll = NULL };

        if (!auth_wants_http(&server->config.auth))
                return true;
        loop.poll = poll_epoll_new();
        if (loop.poll != NULL)
                server->http = http_client_new(&config, &loop);
        if (server->http == NULL)
                poll_free(loop.poll);
        return server->http != NULL;
}

static void close_http(struct server *server)
{
        http_client_free(server->http);
}

static bool open_auth(struct server *server)
{
        char why[AUTH_WHY_SIZE];

        server->auth = auth_new(&server->broker, server->http, &server->config.auth, NULL, why);
        if (server->auth == NULL)
                LOG(ERROR, "auth.unusable", F_TEXT("why", why[0] != '\0' ? why : "no memory"));
        return server->auth != NULL;
}

static bool open_certificates(struct server *server)
{
        struct loop_config config = { .poll = poll_epoll_new() };

        if (config.poll != NULL)
                server->certificates = certificates_new(&server->broker, &config);
        if (server->certificates == NULL)
                poll_free(config.poll);
        return server->certificates != NULL;
}

static void close_certificates(struct server *server)
{
        certificates_free(server->certificates);
}

static bool make_doors(struct server *server)
{
        server->doors = doors_new(&server->broker, server->certificates);
        return server->doors != NULL;
}

static void free_doors(struct server *server)
{
        doors_free(server->doors);
}

static bool open_workers(struct server *server)
{
        const struct settings *settings = snapshot_add(server, &server->config.settings);

        return settings != NULL && workers_open(server->workers, settings);
}

/* The shards are to find it in their mail. */
static bool open_doors(struct server *server)
{
        return doors_prepare(server->doors, &server->config, server->supervisor) &&
               doors_commit(server->doors);
}

static void close_doors(struct server *server)
{
        doors_shut(server->doors);
}

static void close_workers(struct server *server)
{
        workers_close(server->workers);
}

static void close_services(struct server *server)
{
        sys_free(server->sys);
        delayed_free(server->delayed);
        if (server->guard != NULL)
                guard_save(server->guard);
        guard_free(server->guard);
}

static void close_auth(struct server *server)
{
        auth_free(server->auth);
}

static void close_broker(struct server *server)
{
        broker_deinit(&server->broker);
        workers_free(server->workers);
}

/* The order is the architecture; stopping runs it backwards. */
static const struct {
        const char *name;
        bool (*open)(struct server *server);
        void (*close)(struct server *server);
} start_list[] = {
        { "data_dir", open_data_dir, NULL },
        { "broker", open_broker, close_broker },
        { "store", open_store, close_store },
        { "admin", open_admin, close_admin },
        { "services", open_services, close_services },
        { "http", open_http, close_http },
        { "auth", open_auth, close_auth },
        { "access rules", open_rules, close_rules },
        { "certificates", open_certificates, close_certificates },
        { "doors", make_doors, free_doors },
        { "shards", open_workers, close_workers },
        { "recovery", recover_store, NULL },
        { "listeners", open_doors, close_doors },
};

enum { START_STEPS = sizeof start_list / sizeof start_list[0] };

static void close_from(struct server *server, unsigned step)
{
        while (step-- > 0)
                if (start_list[step].close != NULL)
                        start_list[step].close(server);
        while (server->snapshots != NULL) {
                struct snapshot *snapshot = server->snapshots;

                server->snapshots = snapshot->older;
                mem_free(snapshot);
        }
        mem_free(server);
}

struct server *server_new(const struct config *config, struct supervisor *supervisor)
{
        struct server *server = mem_zalloc(sizeof *server);

        if (server == NULL)
                return NULL;
        server->config     = *config;
        server->supervisor = supervisor;
        for (unsigned step = 0; step < START_STEPS; step++) {
                if (start_list[step].open(server))
                        continue;
                LOG(ERROR, "start.failed", F_TEXT("step", start_list[step].name));
                close_from(server, step + 1);
                return NULL;
        }
        return server;
}

/* ---- running --------------------------------------------------------------------------------- */

static void start_on_shard(void *context, struct shard *shard)
{
        struct server *server = context;

        on_shard(&shard->loop);
        shard_start(shard);
        guard_start(server->guard, shard);
        if (shard->loop.config.id == 0)
                sys_start(server->sys, shard);
}

static void *run_beside(void *loop)
{
        loop_run(loop);
        return NULL;
}

/* A thread for an actor's loop; nothing when there is none. */
static bool start_beside(struct beside *beside, struct loop *loop)
{
        int failed = loop == NULL ? 0 : pthread_create(&beside->thread, NULL, run_beside, loop);

        if (failed != 0)
                LOG(ERROR, "thread.failed", F_TEXT("reason", strerror(failed)));
        beside->loop = failed == 0 ? loop : NULL;
        return failed == 0;
}

static void stop_beside(struct beside *beside)
{
        if (beside->loop == NULL)
                return;
        loop_stop(beside->loop);
        pthread_join(beside->thread, NULL);
}

static bool start_actors(struct server *server)
{
        struct loop *store  = server->store != NULL ? store_loop(server->store) : NULL;
        struct loop *http   = server->http != NULL ? http_client_loop(server->http) : NULL;
        struct loop *reader = certificates_loop(server->certificates);

        return start_beside(&server->store_beside, store) &&
               start_beside(&server->http_beside, http) &&
               start_beside(&server->certificates_beside, reader) && auth_start(server->auth);
}

bool server_start(struct server *server)
{
        if (!start_actors(server) || !workers_start(server->workers, start_on_shard, server))
                return false;
        LOG(INFO, "broker.started", F_TEXT("node", server->broker.node_name),
            F_U64("shards", server->broker.shard_count));
        return true;
}

static void settings_deliver(struct loop *loop, struct mail *mail)
{
        on_shard(loop);
        shard_of(loop)->settings = ((struct settings_mail *)(void *)mail)->settings;
}

static const struct mail_ops settings_ops = { "settings", settings_deliver, NULL };

bool server_apply(struct server *server, const struct config *config)
{
        const struct settings *settings;

        if (!doors_prepare(server->doors, config, server->supervisor))
                return false;
        settings = snapshot_add(server, &config->settings);
        if (settings == NULL || !doors_commit(server->doors)) {
                LOG(ERROR, "reload.failed", F_TEXT("reason", "out of memory"));
                doors_abandon(server->doors);
                return false;
        }
        for (unsigned i = 0; i < server->broker.shard_count; i++) {
                struct parcel        *parcel = NULL;
                struct settings_mail *mail = (struct settings_mail *)(void *)parcel_append(
                        &parcel, &settings_ops, sizeof *mail, MAIL_FROM_OUTSIDE);

                if (mail == NULL) {
                        LOG(ERROR, "reload.failed", F_TEXT("reason", "out of memory"));
                        continue;
                }
                mail->settings = settings;
                loop_post(server->broker.loops[i], parcel);
        }
        guard_load(server->guard);
        server->config.settings   = config->settings;
        server->config.acl_format = config->acl_format;
        memcpy(server->config.acl_file, config->acl_file, sizeof config->acl_file);
        if (!auth_reload(server->auth, &config->auth) ||
            !rules_apply(&server->rules, &server->config))
                LOG(ERROR, "reload.failed", F_TEXT("reason", "out of memory"));
        return true;
}

bool server_look(struct server *server)
{
        guard_save(server->guard);
        return rules_look(&server->rules, &server->config);
}

struct admin *server_admin(struct server *server)
{
        return server->admin;
}

struct guard *server_guard(struct server *server)
{
        return server->guard;
}

struct doors *server_doors(struct server *server)
{
        return server->doors;
}

bool server_beats(struct server *server)
{
        return workers_beat(server->workers);
}

void server_stop(struct server *server)
{
        doors_hide(server->doors);
        workers_stop(server->workers, server->doors);
        auth_stop(server->auth);
        stop_beside(&server->http_beside);
        stop_beside(&server->store_beside);
        stop_beside(&server->certificates_beside);
        close_from(server, START_STEPS);
        LOG(INFO, "broker.stopped", F_TEXT("reason", "asked to"));
}
