#include "services/guard/guard.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "base/log.h"
#include "base/memory.h"
#include "core/alarm.h"
#include "core/session.h"
#include "rt/lock.h"
#include "services/guard/ban.h"
#include "services/guard/pulse.h"
#include "services/guard/trace.h"

enum { BEAT_MS = 250, LOOK_MS = 1000, PATH_SIZE = 1100 };
enum { LOOK_SLOTS = 1024 };             /* of the map of sessions, in a turn */

#define BAN_WHY "banned"

/* A shard's part. */
struct watchman {
        struct guard          *guard;
        struct shard          *shard;
        struct timer           beat;
        struct pulse           pulse;
        bool                   told_busy;
        uint64_t               looked_ms;       /* at its clients, for the last time or now */
        struct chore           look;
        struct map_walk        walk;            /* through its sessions */
        uint64_t               changes;         /* of the bans that it has looked for */
        const struct settings *settings;        /* that it has looked with */
};

struct guard {
        struct broker     *broker;
        struct lock        lock;                /* of the two tables */
        struct ban_table   bans;
        struct trace_table traces;
        _Atomic uint64_t   changes;             /* of the bans; 0: there never was one */
        uint64_t           saved_changes;       /* the loading and saving thread's */
        uint64_t           saved_s;
        char               path[PATH_SIZE];     /* empty: not kept */
        struct watchman    watchmen[SHARDS_MAX];
};

ON_SHARD static uint64_t now_s(const struct shard *shard)
{
        return shard->loop.now.wall_us / 1000000;
}

static bool in_list(const char *list, struct str name)
{
        struct str rest = str_of(list), item;

        while (rest.len > 0 && str_cut(&rest, ',', &item)) {
                while (item.len > 0 && item.ptr[0] == ' ')
                        item = str_skip(item, 1);
                if (item.len > 0 && str_eq(item, name))
                        return true;
        }
        return false;
}

/* ---- bans ------------------------------------------------------------------------------------ */

static enum ban_result add_locked(struct guard *guard, const struct ban *ban, uint64_t at_s)
        HOLDS(guard->lock)
{
        enum ban_result result = ban_add(&guard->bans, ban, at_s);

        atomic_store_explicit(&guard->changes, guard->bans.changes, memory_order_release);
        return result;
}

/* Clients that it matches are disconnected within a second. */
enum ban_result guard_ban(struct guard *guard, const struct ban *ban)
{
        enum ban_result result;

        lock_take(&guard->lock);
        result = add_locked(guard, ban, ban->at_s);
        lock_release(&guard->lock);
        if (result == BAN_DONE)
                LOG(WARNING, "ban.added", F_TEXT("kind", ban_kind_name(ban->kind)),
                    F_STR("what", ban->what), F_STR("by", ban->by), F_STR("why", ban->why),
                    F_U64("until", ban->until_s));
        else
                LOG(ERROR, "ban.failed", F_TEXT("kind", ban_kind_name(ban->kind)),
                    F_STR("what", ban->what),
                    F_TEXT("why", result == BAN_FULL ? "there are as many as may be"
                                  : result == BAN_INVALID ? "no network, or too long"
                                                          : "no memory"));
        return result;
}

bool guard_unban(struct guard *guard, enum ban_kind kind, struct str what)
{
        bool found;

        lock_take(&guard->lock);
        found = ban_remove(&guard->bans, kind, what);
        if (found)
                atomic_store_explicit(&guard->changes, guard->bans.changes, memory_order_release);
        lock_release(&guard->lock);
        if (found)
                LOG(WARNING, "ban.removed", F_TEXT("kind", ban_kind_name(kind)),
                    F_STR("what", what));
        return found;
}

bool guard_see_bans(struct guard *guard, size_t *at, unsigned max,
                    void (*see)(void *context, const struct ban *ban), void *context)
{
        const struct ban *ban   = NULL;
        uint64_t          now   = clock_read().wall_us / 1000000;
        unsigned          count = 0;

        lock_take(&guard->lock);
        while (count < max && (ban = ban_next(&guard->bans, at, now)) != NULL) {
                see(context, ban);
                count++;
        }
        lock_release(&guard->lock);
        return ban != NULL;
}

/* Names may be empty, `peer` NULL. */
ON_SHARD static bool is_banned(struct guard *guard, const struct shard *shard,
                               const struct address *peer, struct str client_id,
                               struct str username)
{
        const struct settings *settings = shard->settings;
        bool                   banned;

        if ((peer != NULL && networks_contain(str_of(settings->ban_addresses), peer)) ||
            in_list(settings->ban_client_ids, client_id) ||
            in_list(settings->ban_usernames, username))
                return true;
        if (atomic_load_explicit(&guard->changes, memory_order_acquire) == 0)
                return false;
        lock_take(&guard->lock);
        banned = (peer != NULL && ban_of_address(&guard->bans, peer, now_s(shard)) != NULL) ||
                 ban_of_name(&guard->bans, BAN_CLIENT_ID, client_id, now_s(shard)) != NULL ||
                 ban_of_name(&guard->bans, BAN_USERNAME, username, now_s(shard)) != NULL;
        lock_release(&guard->lock);
        return banned;
}

ON_SHARD static enum hook_result refuse(struct hook_args *args, enum reason reason,
                                        const char *why, _Atomic uint64_t *metric)
{
        metric_add(metric, 1);
        args->reason = reason;
        args->why    = why;
        return HOOK_STOP;
}

ON_SHARD static void ban_by_rule(struct guard *guard, const struct shard *shard,
                                 enum ban_kind kind, struct str what, uint32_t for_s)
{
        bool             flaps = kind == BAN_CLIENT_ID;
        const struct ban ban   = {
                .kind    = kind,
                .what    = what,
                .by      = flaps ? STR("flapping") : STR("auth.failures"),
                .why     = flaps ? STR("it connected too often") : STR("too many failed logins"),
                .at_s    = now_s(shard),
                .until_s = now_s(shard) + for_s,
        };

        guard_ban(guard, &ban);
}

/* ---- what counts by address ------------------------------------------------------------------ */

ON_SHARD static bool is_exempt(const struct shard *shard, const struct address *peer)
{
        return shard->settings->exempt_loopback && address_is_loopback(peer);
}

/* One more of its address: NULL, or why not. *ticket is of its trace from now on. */
ON_SHARD static enum hook_result enter(struct guard *guard, struct hook_args *args)
{
        struct shard          *shard    = args->shard;
        const struct settings *settings = shard->settings;
        struct metrics        *metrics  = &shard->metrics;
        bool                   fast, full = false;
        struct network         network;
        struct trace          *trace;

        if ((settings->max_per_address == 0 &&
             settings->connect_rate_per_address.per_second == 0) ||
            is_exempt(shard, args->peer) || !network_of(args->peer, 32, 64, &network))
                return HOOK_OK;
        lock_take(&guard->lock);
        trace = trace_get(&guard->traces, TRACE_ADDRESS,
                          str_from(&network.address, sizeof network.address));
        fast  = trace != NULL && !bucket_take(&trace->rate, settings->connect_rate_per_address, 1,
                                              shard->loop.now.mono_ms);
        if (trace != NULL && !fast)
                full = settings->max_per_address > 0 &&
                       trace->connections >= settings->max_per_address;
        if (trace != NULL && !fast && !full) {
                trace_enter(&guard->traces, trace);
                args->ticket = (uintptr_t)trace;
        }
        lock_release(&guard->lock);
        if (fast)
                return refuse(args, REASON_CONNECTION_RATE_EXCEEDED,
                              "beyond limits.max_conn_rate_per_address",
                              &metrics->connections_refused_rate);
        if (full)
                return refuse(args, REASON_QUOTA_EXCEEDED,
                              "beyond limits.max_connections_per_address",
                              &metrics->connections_refused_full);
        return HOOK_OK;
}

UNCHECKED static enum hook_result on_release(void *context, struct hook_args *args)
{
        struct guard *guard = context;

        lock_take(&guard->lock);
        trace_leave(&guard->traces, (struct trace *)(uintptr_t)args->ticket);
        lock_release(&guard->lock);
        return HOOK_OK;
}

UNCHECKED static enum hook_result on_accept(void *context, struct hook_args *args)
{
        struct guard    *guard    = context;
        struct shard    *shard    = args->shard;
        struct watchman *watchman = &guard->watchmen[shard->loop.config.id];
        const struct str none     = { NULL, 0 };

        pulse_look(&watchman->pulse, shard->settings->overload_lag_ms, shard->loop.now.mono_ms);
        if (watchman->pulse.busy)
                return refuse(args, REASON_SERVER_BUSY, "its shard lags by more than overload.lag",
                              &shard->metrics.connections_refused_busy);
        if (args->peer == NULL)         /* a proxy will tell */
                return HOOK_OK;
        if (is_banned(guard, shard, args->peer, none, none))
                return refuse(args, REASON_BANNED, BAN_WHY,
                              &shard->metrics.connections_refused_banned);
        return enter(guard, args);
}

/* ---- who comes too often, or without the right password -------------------------------------- */

ON_SHARD static uint32_t count(struct guard *guard, enum trace_kind kind, struct str name,
                               const struct shard *shard)
{
        const struct settings *settings = shard->settings;
        bool                   connects = kind == TRACE_CLIENT_ID;
        struct trace          *trace;
        uint32_t               times = 0;

        lock_take(&guard->lock);
        trace = trace_get(&guard->traces, kind, name);
        if (trace != NULL)
                times = tally_add(connects ? &trace->connects : &trace->failures,
                                  connects ? settings->flapping_window_ms
                                           : settings->failures_window_ms,
                                  shard->loop.now.mono_ms);
        lock_release(&guard->lock);
        return times;
}

UNCHECKED static enum hook_result on_connect(void *context, struct hook_args *args)
{
        struct guard          *guard    = context;
        struct shard          *shard    = args->shard;
        const struct settings *settings = shard->settings;

        if (args->ticket == 0 && enter(guard, args) == HOOK_STOP)
                return HOOK_STOP;
        if (!is_banned(guard, shard, args->peer, args->client_id, args->username)) {
                if (settings->flapping_max == 0 || is_exempt(shard, args->peer) ||
                    count(guard, TRACE_CLIENT_ID, args->client_id, shard) <= settings->flapping_max)
                        return HOOK_OK;
                ban_by_rule(guard, shard, BAN_CLIENT_ID, args->client_id,
                            settings->flapping_ban_s);
        }
        return refuse(args, REASON_BANNED, BAN_WHY, &shard->metrics.connections_refused_banned);
}

/* By now it is known who it is, which CONNECT need not have said. */
UNCHECKED static enum hook_result on_authenticated(void *context, struct hook_args *args)
{
        if (!is_banned(context, args->shard, args->peer, args->client_id, args->username))
                return HOOK_OK;
        return refuse(args, REASON_BANNED, BAN_WHY,
                      &args->shard->metrics.connections_refused_banned);
}

/* Who is banned says nothing any more, though it has left it behind. */
UNCHECKED static enum hook_result on_due(void *context, struct hook_args *args)
{
        return is_banned(context, args->shard, NULL, args->client_id, args->username) ? HOOK_STOP
                                                                                      : HOOK_OK;
}

ON_SHARD static uint32_t delay_of(const struct settings *settings, uint32_t failures)
{
        uint64_t delay_ms = settings->failures_delay_ms;

        if (failures < 2)
                return 0;
        for (uint32_t i = 2; i < failures && delay_ms < settings->failures_delay_max_ms; i++)
                delay_ms *= 2;
        return delay_ms < settings->failures_delay_max_ms ? (uint32_t)delay_ms
                                                          : settings->failures_delay_max_ms;
}

/* Who guesses passwords is answered later and later, and his address is banned; a user name never
 * is, for it is its owner's who would be locked out. A busy provider is nobody's failure. */
UNCHECKED static enum hook_result on_auth_failed(void *context, struct hook_args *args)
{
        struct guard          *guard    = context;
        struct shard          *shard    = args->shard;
        const struct settings *settings = shard->settings;
        struct network         network;
        char                   text[NETWORK_TEXT_SIZE];
        uint32_t               of_user = 0, of_address = 0;

        if (args->reason == REASON_SERVER_BUSY || args->peer == NULL ||
            is_exempt(shard, args->peer))
                return HOOK_OK;
        if (args->username.len > 0)
                of_user = count(guard, TRACE_USERNAME, args->username, shard);
        if (network_of(args->peer, 32, 64, &network)) {
                of_address = count(guard, TRACE_ADDRESS,
                                   str_from(&network.address, sizeof network.address), shard);
                if (settings->failures_ban_after > 0 && of_address > settings->failures_ban_after) {
                        network_text(&network, text);
                        ban_by_rule(guard, shard, BAN_ADDRESS, str_of(text),
                                    settings->failures_ban_s);
                }
        }
        args->delay_ms = delay_of(settings, of_user > of_address ? of_user : of_address);
        return HOOK_OK;
}

/* ---- a shard's beat -------------------------------------------------------------------------- */

ON_SHARD static void look_at(struct guard *guard, struct session *session)
{
        struct access_request client = { .shard = session->shard };
        char                  text[ACCESS_ADDRESS_SIZE];
        struct address        address;
        bool                  known;

        if (session->peer == NULL || session->peer->ops->identify == NULL)
                return;
        session->peer->ops->identify(session->peer, &client, text);
        known = address_parse_ip(client.address, &address);
        if (is_banned(guard, session->shard, known ? &address : NULL, session->client_id,
                      client.username))
                session->peer->ops->refuse(session->peer, REASON_ADMINISTRATIVE_ACTION, BAN_WHY);
}

/* Those who are connected, and banned by now, a slice a turn. Who comes meanwhile was looked for
 * when it came. */
static void on_look(struct loop *loop, struct chore *chore)
{
        struct watchman *watchman = list_entry(chore, struct watchman, look);
        struct session  *session;
        size_t           slots = LOOK_SLOTS;

        on_shard(loop);
        while ((session = map_walk_next(&watchman->shard->sessions, &watchman->walk, &slots)))
                look_at(watchman->guard, session);
        if (!watchman->walk.done)
                loop_at_next_turn(loop, chore);
}

static void on_beat(struct loop *loop, struct timer *timer)
{
        struct watchman *watchman = list_entry(timer, struct watchman, beat);
        struct shard    *shard    = watchman->shard;
        uint64_t         changes  = atomic_load_explicit(&watchman->guard->changes,
                                                         memory_order_acquire);
        uint64_t         now_ms;

        on_shard(loop);
        now_ms = loop->now.mono_ms;
        pulse_beat(&watchman->pulse, shard->settings->overload_lag_ms, now_ms, BEAT_MS);
        if (watchman->pulse.busy != watchman->told_busy) {
                char id[16];

                snprintf(id, sizeof id, "shard%u", loop->config.id);
                watchman->told_busy = watchman->pulse.busy;
                alarm_tell(shard, "overload", str_of(id),
                           watchman->told_busy ? "it lags by more than overload.lag: connections "
                                                 "are refused"
                                               : NULL);
        }
        if ((changes != watchman->changes || watchman->settings != shard->settings) &&
            now_ms - watchman->looked_ms >= LOOK_MS && watchman->walk.done) {
                watchman->changes   = changes;
                watchman->settings  = shard->settings;
                watchman->looked_ms = now_ms;
                watchman->walk      = (struct map_walk){ .done = false };
                loop_at_next_turn(loop, &watchman->look);
        }
        loop_timer(loop, timer, BEAT_MS);
}

void guard_start(struct guard *guard, struct shard *shard)
{
        struct watchman *watchman = &guard->watchmen[shard->loop.config.id];

        *watchman = (struct watchman){ .guard = guard, .shard = shard, .beat.fire = on_beat,
                                       .look.run = on_look, .walk.done = true,
                                       .settings = shard->settings };
        pulse_beat(&watchman->pulse, shard->settings->overload_lag_ms, shard->loop.now.mono_ms,
                   BEAT_MS);
        loop_timer(&shard->loop, &watchman->beat, BEAT_MS);
}

/* ---- the file -------------------------------------------------------------------------------- */

static void read_bans(struct guard *guard, FILE *in, struct ban_table *to)
{
        static char line[BAN_LINE_MAX];         /* by one thread */
        uint64_t    at_s = clock_read().wall_us / 1000000, number = 0;

        while (fgets(line, sizeof line, in) != NULL) {
                size_t     len = strcspn(line, "\n");
                struct ban ban;

                number++;
                if (len == 0 || line[0] == '#')
                        continue;
                if (line[len] != '\n' || !ban_read_line(line, len, &ban) ||
                    ban_add(to, &ban, at_s) != BAN_DONE)
                        LOG(ERROR, "ban.unreadable", F_TEXT("file", guard->path),
                            F_U64("line", number),
                            F_TEXT("hint", "KIND WHAT UNTIL AT BY WHY, see doc/security.md"));
        }
}

void guard_load(struct guard *guard)
{
        struct ban_table  fresh;
        const struct ban *ban;
        FILE             *in  = guard->path[0] != '\0' ? fopen(guard->path, "re") : NULL;
        uint64_t          now = clock_read().wall_us / 1000000;
        size_t            at  = 0;

        if (in == NULL) {
                if (guard->path[0] != '\0' && errno != ENOENT)
                        LOG(ERROR, "ban.unreadable", F_TEXT("file", guard->path),
                            F_TEXT("reason", strerror(errno)));
                return;
        }
        ban_table_init(&fresh, guard->broker->key);
        read_bans(guard, in, &fresh);
        fclose(in);
        lock_take(&guard->lock);
        while (guard->bans.changes != guard->saved_changes &&
               (ban = ban_next(&guard->bans, &at, now)) != NULL)
                if (ban->at_s >= guard->saved_s)
                        ban_add(&fresh, ban, now);
        fresh.changes += guard->bans.changes + 1;
        ban_table_deinit(&guard->bans);
        guard->bans = fresh;
        atomic_store_explicit(&guard->changes, fresh.changes, memory_order_release);
        lock_release(&guard->lock);
        LOG(INFO, "ban.loaded", F_TEXT("file", guard->path), F_U64("count", fresh.map.count));
        guard_save(guard);      /* else the next load took all that it found for new */
}

/* Under another name first, so that a crash leaves the old file or the new one. */
static bool write_file(const char *path, struct str bytes)
{
        char next[PATH_SIZE + 8];
        bool good;
        int  fd;

        snprintf(next, sizeof next, "%s.new", path);
        fd = open(next, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
        if (fd < 0)
                return false;
        good = write(fd, bytes.ptr, bytes.len) == (ssize_t)bytes.len && fsync(fd) == 0;
        close(fd);
        return good && rename(next, path) == 0;
}

bool guard_save(struct guard *guard)
{
        struct buffer     text = { 0 };
        const struct ban *ban;
        uint64_t          changes, now = clock_read().wall_us / 1000000;
        size_t            at = 0;

        if (guard->path[0] == '\0' ||
            atomic_load_explicit(&guard->changes, memory_order_acquire) == guard->saved_changes)
                return true;
        buffer_append(&text, STR("# kind what until at by why; times in seconds since 1970\n"));
        lock_take(&guard->lock);
        changes = guard->bans.changes;
        while ((ban = ban_next(&guard->bans, &at, now)) != NULL)
                ban_write_line(&text, ban);
        lock_release(&guard->lock);
        if (write_file(guard->path, buffer_str(&text))) {
                guard->saved_changes = changes;
                guard->saved_s       = now;
        } else {
                LOG(ERROR, "ban.not_saved", F_TEXT("file", guard->path),
                    F_TEXT("reason", strerror(errno)));
        }
        buffer_deinit(&text);
        return guard->saved_changes == changes;
}

struct guard *guard_new(struct broker *broker, const char *folder)
{
        struct guard *guard = mem_zalloc(sizeof *guard);

        if (guard == NULL)
                return NULL;
        guard->broker = broker;
        lock_init(&guard->lock, LOCK_RANK_GUARD);
        ban_table_init(&guard->bans, broker->key);
        trace_table_init(&guard->traces, broker->key);
        if (folder != NULL)
                snprintf(guard->path, sizeof guard->path, "%s/bans", folder);
        if (hooks_add(broker->hooks, HOOK_CLIENT_ACCEPT, on_accept, guard, 0) &&
            hooks_add(broker->hooks, HOOK_CLIENT_RELEASE, on_release, guard, 0) &&
            hooks_add(broker->hooks, HOOK_CLIENT_CONNECT, on_connect, guard, 0) &&
            hooks_add(broker->hooks, HOOK_CLIENT_AUTHENTICATED, on_authenticated, guard, 0) &&
            hooks_add(broker->hooks, HOOK_MESSAGE_DUE, on_due, guard, 0) &&
            hooks_add(broker->hooks, HOOK_CLIENT_AUTH_FAILED, on_auth_failed, guard, 0))
                return guard;
        guard_free(guard);
        return NULL;
}

void guard_free(struct guard *guard) UNCHECKED
{
        if (guard == NULL)
                return;
        ban_table_deinit(&guard->bans);
        trace_table_deinit(&guard->traces);
        lock_deinit(&guard->lock);
        mem_free(guard);
}
