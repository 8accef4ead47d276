#include "services/admin/control.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/memory.h"
#include "net/listener.h"
#include "net/unix_socket.h"

enum { BACKLOG = 16, READ_BYTES = 4096, REFUSALS_LOGGED = 10, PATH_SIZE = 108 };

struct control {
        struct admin    *admin;
        struct listener  listener;
        struct list      peers;
        unsigned         count;
        uid_t            user;
        struct log_limit refusals;
        char             path[PATH_SIZE];
};

/* One that may ask. */
struct asker {
        struct list       in_control;
        struct control   *control;
        struct transport *transport;            /* owned */
        struct watch      watch;
        struct timer      idle;
        struct buffer     in, out;
        struct admin_call call;
        bool              calling;              /* its line stays at the front of `in` */
        bool              more;                 /* the call has more rows, for which there was no
                                                 * room */
        bool              ended;                /* it will ask no more */
        size_t            line_len;             /* of the call, with its newline */
        char              who[TRANSPORT_TEXT_SIZE];
};

static void on_accepted(struct listener *listener, struct transport *transport);

/* ---- the file -------------------------------------------------------------------------------- */

/* Where others may write, one of them could put another file there between two of our looks. */
static bool folder_is_ours(const char *path, char *why)
{
        char        folder[PATH_SIZE];
        char       *slash;
        struct stat found;

        snprintf(folder, sizeof folder, "%s", path);
        slash = strrchr(folder, '/');
        if (slash == NULL)
                snprintf(folder, sizeof folder, ".");
        else
                slash[slash == folder] = '\0';
        if (stat(folder, &found) != 0) {
                snprintf(why, CONTROL_WHY_SIZE, "its folder: %s", strerror(errno));
                return false;
        }
        if ((found.st_uid == 0 || found.st_uid == geteuid()) && (found.st_mode & 022) == 0)
                return true;
        snprintf(why, CONTROL_WHY_SIZE, "others than root and the broker may write to its folder");
        return false;
}

static bool listen_at(struct control *control, char *why)
{
        const struct unix_socket place = { .path = control->path, .mode = 0600,
                                           .owner = (uid_t)-1, .group = (gid_t)-1 };
        int                      fd = unix_socket_listen(&place, BACKLOG);

        if (fd < 0) {
                snprintf(why, CONTROL_WHY_SIZE, "%s", strerror(-fd));
                return false;
        }
        if (listener_adopt(&control->listener, fd))
                return true;
        snprintf(why, CONTROL_WHY_SIZE, "%s", strerror(errno));
        unlink(control->path);
        close(fd);
        return false;
}

struct control *control_open(struct admin *admin, const char *path,
                             char why[static CONTROL_WHY_SIZE])
{
        struct control *control;

        snprintf(why, CONTROL_WHY_SIZE, "out of memory");
        if (strlen(path) >= PATH_SIZE) {
                snprintf(why, CONTROL_WHY_SIZE, "a socket's path has at most %d bytes",
                         PATH_SIZE - 1);
                return NULL;
        }
        control = mem_zalloc(sizeof *control);
        if (control == NULL)
                return NULL;
        snprintf(control->path, sizeof control->path, "%s", path);
        control->admin = admin;
        control->user  = geteuid();
        list_init(&control->peers);
        if (folder_is_ours(path, why) && listen_at(control, why)) {
                control->listener.accepted = on_accepted;
                control->listener.context  = control;
                return control;
        }
        mem_free(control);
        return NULL;
}

/* ---- one peer -------------------------------------------------------------------------------- */

static struct loop *loop_of(const struct asker *asker)
{
        return admin_loop(asker->control->admin);
}

ON_SHARD static void asker_free(struct asker *asker)
{
        if (asker->calling)
                admin_end(&asker->call);
        asker->transport->ops->detach(asker->transport, &asker->watch);
        asker->transport->ops->free(asker->transport);
        loop_timer_cancel(loop_of(asker), &asker->idle);
        buffer_deinit(&asker->in);
        buffer_deinit(&asker->out);
        list_remove(&asker->in_control);
        asker->control->count--;
        mem_free(asker);
}

static void on_idle(struct loop *loop, struct timer *timer)
{
        on_shard(loop);
        asker_free(list_entry(timer, struct asker, idle));
}

ON_SHARD static void stay(struct asker *asker)
{
        loop_timer(loop_of(asker), &asker->idle, CONTROL_IDLE_MS);
}

/* What there is room for; false: the peer is gone. */
ON_SHARD static bool write_out(struct asker *asker)
{
        while (buffer_len(&asker->out) > 0) {
                struct str   bytes   = buffer_str(&asker->out);
                struct iovec piece   = { (void *)(uintptr_t)bytes.ptr, bytes.len };
                ssize_t      written = asker->transport->ops->write(asker->transport, &piece, 1);

                if (written == -EAGAIN)
                        return true;
                if (written <= 0)
                        return false;
                buffer_consume(&asker->out, (size_t)written);
                stay(asker);
        }
        return true;
}

/* As many rows as there is room for. */
ON_SHARD static void step(struct asker *asker)
{
        enum admin_progress progress = ADMIN_MORE;

        while (progress == ADMIN_MORE && buffer_len(&asker->out) < CONTROL_OUT_HIGH)
                progress = admin_step(&asker->call);
        asker->more = progress == ADMIN_MORE;
        if (progress != ADMIN_DONE)
                return;
        admin_end(&asker->call);
        asker->calling = false;
        buffer_consume(&asker->in, asker->line_len);
}

static void on_resumed(struct admin_call *call);

/* The next line, if a whole one is there. */
ON_SHARD static bool begin(struct asker *asker)
{
        struct str  in  = buffer_str(&asker->in);
        const char *end = in.len > 0 ? memchr(in.ptr, '\n', in.len) : NULL;

        if (end == NULL)
                return false;
        asker->line_len     = (size_t)(end - in.ptr) + 1;
        asker->calling      = true;
        asker->more         = true;
        asker->call.out     = &asker->out;
        asker->call.by      = asker->who;
        asker->call.resumed = on_resumed;
        admin_begin(asker->control->admin, &asker->call, asker->in.bytes + asker->in.start,
                    asker->line_len - 1);
        return true;
}

/* Goes on with what there is to do; may free the asker. */
ON_SHARD static void go_on(struct asker *asker)
{
        bool full = false;

        for (bool busy = true; busy && !full;) {
                busy = asker->calling ? asker->more : begin(asker);
                if (busy)
                        step(asker);
                if (!write_out(asker)) {
                        asker_free(asker);
                        return;
                }
                full = buffer_len(&asker->out) >= CONTROL_OUT_HIGH;
        }

        if (asker->ended && !asker->calling && buffer_len(&asker->out) == 0) {
                asker_free(asker);
                return;
        }
        poll_change(&asker->watch, (asker->calling || asker->ended || full ? 0 : POLL_READ) |
                                   (buffer_len(&asker->out) > 0 ? POLL_WRITE : 0u));
}

static void on_resumed(struct admin_call *call)
{
        struct asker *asker = list_entry(call, struct asker, call);

        on_shard(loop_of(asker));
        asker->more = true;
        go_on(asker);
}

/* False: it was freed. */
ON_SHARD static bool read_in(struct asker *asker)
{
        char    bytes[READ_BYTES];
        ssize_t count = asker->transport->ops->read(asker->transport, bytes, sizeof bytes);

        if (count == -EAGAIN)
                return true;
        if (count < 0 || (count > 0 && !buffer_append(&asker->in,
                                                      str_from(bytes, (size_t)count)))) {
                asker_free(asker);
                return false;
        }
        asker->ended = count == 0;
        if (count > 0)
                stay(asker);

        struct str in = buffer_str(&asker->in);

        if (in.len > CONTROL_LINE_MAX && memchr(in.ptr, '\n', CONTROL_LINE_MAX) == NULL) {
                const struct log_field error = F_TEXT("error", "the line is too long");

                admin_row(&asker->out, "failed", &error, 1);
                buffer_consume(&asker->in, in.len);
                asker->ended = true;
        }
        return true;
}

static void on_ready(struct watch *watch, unsigned events)
{
        struct asker *asker = list_entry(watch, struct asker, watch);

        on_shard(loop_of(asker));
        if (watch->wants == 0) {        /* while a shard is asked: nobody waits for it any more */
                asker_free(asker);
                return;
        }
        if ((events & POLL_READ) && !asker->calling && !asker->ended && !read_in(asker))
                return;
        go_on(asker);
}

/* ---- who comes ------------------------------------------------------------------------------- */

/* Root, or the user that the broker is. */
ON_SHARD static bool may_ask(const struct control *control, struct transport *transport)
{
        char who[TRANSPORT_TEXT_SIZE], own[TRANSPORT_TEXT_SIZE];

        if (transport_identity(transport, TRANSPORT_USERNAME, who) == 0)
                return false;
        snprintf(own, sizeof own, "uid:%u", control->user);
        return strcmp(who, own) == 0 || strcmp(who, "uid:0") == 0;
}

ON_SHARD static void turn_away(struct control *control, struct transport *transport,
                               const char *why)
{
        struct buffer          row = { 0 };
        const struct log_field error = F_TEXT("error", why);
        struct loop           *loop = admin_loop(control->admin);
        char                   who[TRANSPORT_TEXT_SIZE];

        if (log_allowed(&control->refusals, REFUSALS_LOGGED, loop->now.mono_ms, NULL)) {
                transport_describe(transport, who);
                LOG(WARNING, "control.refused", F_TEXT("peer", who), F_TEXT("why", why));
        }
        admin_row(&row, "failed", &error, 1);

        struct iovec piece = { row.bytes, row.len };

        if (row.bytes != NULL)
                (void)transport->ops->write(transport, &piece, 1);
        buffer_deinit(&row);
        transport->ops->free(transport);
}

ON_SHARD static void let_in(struct control *control, struct transport *transport)
{
        struct asker *asker = mem_zalloc(sizeof *asker);
        struct loop  *loop  = admin_loop(control->admin);

        if (asker == NULL) {
                transport->ops->free(transport);
                return;
        }
        asker->control     = control;
        asker->transport   = transport;
        asker->watch.ready = on_ready;
        asker->idle.fire   = on_idle;
        transport_identity(transport, TRANSPORT_USERNAME, asker->who);
        list_push_back(&control->peers, &asker->in_control);
        control->count++;
        if (transport->ops->attach(transport, loop->config.poll, &asker->watch, POLL_READ))
                stay(asker);
        else
                asker_free(asker);
}

static void on_accepted(struct listener *listener, struct transport *transport)
{
        struct control *control = listener->context;

        on_shard(admin_loop(control->admin));
        if (!may_ask(control, transport))
                turn_away(control, transport, "only root and the broker's own user may ask");
        else if (control->count == CONTROL_PEERS_MAX)
                turn_away(control, transport, "too many connections");
        else
                let_in(control, transport);
}

void control_start(struct control *control)
{
        if (!listener_start(&control->listener, admin_loop(control->admin)))
                LOG(ERROR, "control.unusable", F_TEXT("path", control->path),
                    F_TEXT("reason", strerror(errno)));
        else
                LOG(INFO, "control.open", F_TEXT("path", control->path));
}

void control_close(struct control *control)
{
        struct list *link;

        if (control == NULL)
                return;
        unlink(control->path);          /* while it listens: nobody else can have put one there */
        role_claim(admin_loop(control->admin));
        listener_close(&control->listener);
        while ((link = control->peers.next) != &control->peers)
                asker_free(list_entry(link, struct asker, in_control));
        role_leave();
        mem_free(control);
}
