/* What an operator may ask of a running broker, and what it answers: a table of commands. Who asks
 * (the control socket; later an API over HTTP) gives a line of words and gets rows, a JSON object
 * each on a line of its own; the last one says whether it went well:
 *
 *      bans list
 *      {"is":"ban","kind":"address","what":"192.0.2.0/24",...}
 *      {"ok":true}
 *
 * It is an actor with a loop, which one thread turns: the one that starts and stops the broker, so
 * that a command may do what that thread may. What shards know is asked of them by mail. */
#ifndef LINNET_SERVICES_ADMIN_ADMIN_H
#define LINNET_SERVICES_ADMIN_ADMIN_H

#include "base/buffer.h"
#include "base/log.h"
#include "core/shard.h"
#include "services/admin/words.h"

struct admin;
struct admin_call;

enum {
        ADMIN_COMMANDS_MAX = 64,
        ADMIN_ERROR_SIZE   = 512,
        ADMIN_ROWS_MAX     = 128,       /* that a step of a command may add */
};

enum admin_progress {
        ADMIN_DONE,             /* that was all; call->error says what went wrong, if anything */
        ADMIN_MORE,             /* there is more: run() is to be called again when there is room */
        ADMIN_LATER,            /* the same, after admin_resume() */
};

struct admin_command {
        const char *name;                       /* "bans add" */
        const char *usage;                      /* its words; "" */
        const char *help;
        unsigned    words_min, words_max;       /* behind the name */
        bool        changes;                    /* something: who gave it is logged */
        enum admin_progress (*run)(void *context, struct admin_call *call);
};

/* One request while it is answered. Belongs to whoever asks, and does not move. */
struct admin_call {
        struct admin               *admin;
        const struct admin_command *command;
        void                       *context;            /* the command's */
        struct words                words;              /* behind the name; the asker's bytes */
        struct buffer              *out;                /* the asker's: rows are added */
        const char                 *by;                 /* who asks, as logs say it; the asker's */
        void (*resumed)(struct admin_call *call);       /* the asker's: go on when there is room */
        struct list                 in_admin;
        uint64_t                    id;                 /* never used again */
        char                        error[ADMIN_ERROR_SIZE];
        bool                        failed, late;
        /* The command's, from one step to the next; zero at first. */
        unsigned                    shard;
        size_t                      at;
        struct map_walk             walk;
        bool                        asked;
};

/* Takes the poll. NULL without memory: it is the caller's then. */
struct admin *admin_new(struct broker *broker, struct poll *poll);
void          admin_free(struct admin *admin);  /* when no loop runs; NULL is nothing */
struct loop  *admin_loop(struct admin *admin);  /* its thread turns it */
struct broker *admin_broker(const struct admin *admin);

/* Before the loop runs. The command must outlive the service. */
void admin_add(struct admin *admin, const struct admin_command *command, void *context);

/* ---- who asks: on the loop ------------------------------------------------------------------- */

/* Takes a line apart in place, which stays until the call is over, and finds its command. What is
 * wrong with it admin_step() says. The asker has set call->out, by and resumed. */
void admin_begin(struct admin *admin, struct admin_call *call, char *line, size_t len) ON_SHARD;

/* Goes on. DONE: all rows are there. Not to be called between LATER and resumed(). */
enum admin_progress admin_step(struct admin_call *call) ON_SHARD;
void admin_end(struct admin_call *call) ON_SHARD;       /* done, or its asker is gone */

/* ---- commands -------------------------------------------------------------------------------- */

/* Adds a row: admin_row(call, "ban", F_STR("what", what)). A text without a pointer is null. */
#define ADMIN_ROW(call, kind, ...)                                                                 \
        do {                                                                                       \
                const struct log_field row_[] = { __VA_ARGS__ };                                   \
                admin_row((call)->out, kind, row_, (unsigned)(sizeof row_ / sizeof row_[0]));      \
        } while (0)

void admin_row(struct buffer *out, const char *kind, const struct log_field *fields,
               unsigned count);

/* Ends the command with an error in words. */
__attribute__((format(printf, 2, 3)))
enum admin_progress admin_fail(struct admin_call *call, const char *format, ...);

/* Takes "--name VALUE" out of the words; false when it is not there. */
bool admin_take_option(struct admin_call *call, const char *name, struct str *value);
bool admin_take_flag(struct admin_call *call, const char *name);

/* Adds what another command says that is done in one step and takes no words. */
void admin_include(struct admin_call *call, const char *name);

/* The call of that id goes on; nothing when it is over. */
struct admin_call *admin_find(struct admin *admin, uint64_t id) ON_SHARD;
void               admin_resume(struct admin_call *call) ON_SHARD;

#endif
