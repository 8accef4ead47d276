#include "services/auth/hasher.h"

#include <string.h>

#include "base/memory.h"
#include "unit.h"

enum { QUEUE_MAX = 3, WORKERS = 2 };

static struct shard     *shard;
static struct loop      *shards[1];
static struct hasher    *hasher;
static struct secret     right;
static struct auth_data *data;
static unsigned          answered, freed;
static enum secret_result said;

static struct clock_time clock_now(void *context)
{
        (void)context;
        return (struct clock_time){ .mono_ms = 1000 };
}

static void data_free(struct auth_data *of)
{
        freed++;
        mem_free(of);
}

static void begin(void)
{
        const struct hasher_host host = { .poll_new = poll_memory_new, .clock = clock_now };
        char                     text[SECRET_TEXT_SIZE];

        answered = freed = 0;
        shard     = mem_zalloc(sizeof *shard);
        shards[0] = &shard->loop;
        loop_init(&shard->loop, &(struct loop_config){ .count = 1,
                                                       .peers = shards,
                                                       .poll  = poll_memory_new(),
                                                       .clock = clock_now });
        hasher = hasher_new(WORKERS, QUEUE_MAX, &host);
        data   = mem_zalloc(sizeof *data);
        data->refs = 1;
        data->free = data_free;
        EXPECT(secret_make(SECRET_SHA512, STR("open"), text));
        EXPECT(secret_parse(str_of(text), &right) == NULL);
}

/* Whatever is still on its way goes with the loops. */
static void end(void)
{
        hasher_free(hasher);
        loop_deinit(&shard->loop);
        auth_data_drop(data);
        EXPECT_EQ(freed, 1);
        mem_free(shard);
}

static void on_done(struct hash_job *job, enum secret_result result)
{
        EXPECT(job->question.request->provider_data == NULL);
        EXPECT(job->question.context == &answered);
        answered++;
        said = result;
}

static enum access_verdict ask(struct access_request *request, struct str password)
{
        const struct hash_question question = { .request = request, .data = data,
                                                .secret  = &right,  .context = &answered,
                                                .done    = on_done };
        enum access_verdict        verdict;

        *request = (struct access_request){ .shard = shard, .password = password };
        role_claim(&shard->loop);
        verdict = hasher_ask(hasher, &question);
        role_leave();
        return verdict;
}

static void cancel(struct access_request *request)
{
        role_claim(&shard->loop);
        hasher_cancel(request);
        role_leave();
}

static void work(void)
{
        for (unsigned i = 0; i < hasher_workers(hasher); i++)
                while (loop_turn(hasher_loop(hasher, i), 0))
                        continue;
}

static void hear(void)
{
        while (loop_turn(&shard->loop, 0))
                continue;
}

TEST(a_password_is_checked_elsewhere)
{
        static const struct row {
                struct str         password;
                enum secret_result result;
        } rows[] = {
                { { "open", 4 },  SECRET_RIGHT }, { { "shut", 4 },    SECRET_WRONG },
                { { "open", 3 },  SECRET_WRONG }, { { "open\0x", 6 }, SECRET_WRONG },
                { { NULL, 0 },    SECRET_WRONG },
        };
        const struct row *row;

        begin();
        EACH(rows, row)
        {
                struct access_request request;

                answered = 0;
                EXPECT_EQ(ask(&request, row->password), ACCESS_LATER);
                EXPECT(request.provider_data != NULL);
                hear();
                EXPECT_EQ(answered, 0);         /* not before a worker was at it */
                work();
                EXPECT_EQ(answered, 0);         /* nor by that worker */
                hear();
                EXPECT_EQ(answered, 1);
                EXPECT_EQ(said, row->result);
        }
        end();
}

/* The caller's bytes may be gone by the time. */
TEST(the_password_is_a_copy)
{
        struct access_request request;
        char                  bytes[] = "open";

        begin();
        EXPECT_EQ(ask(&request, STR(bytes)), ACCESS_LATER);
        memset(bytes, 'x', sizeof bytes);
        work();
        hear();
        EXPECT_EQ(said, SECRET_RIGHT);
        end();
}

TEST(the_queue_is_bounded_and_empties)
{
        struct access_request requests[QUEUE_MAX], more;

        begin();
        for (unsigned round = 0; round < 2; round++) {
                for (unsigned i = 0; i < QUEUE_MAX; i++)
                        EXPECT_EQ(ask(&requests[i], STR("open")), ACCESS_LATER);
                EXPECT_EQ(ask(&more, STR("open")), ACCESS_DENY);
                EXPECT_EQ(more.reason, REASON_SERVER_BUSY);
                EXPECT(strstr(more.why, "auth.queue") != NULL);
                EXPECT(more.provider_data == NULL);
                work();
                hear();
                EXPECT_EQ(answered, (round + 1) * QUEUE_MAX);
        }
        end();
}

TEST(the_worker_with_the_fewest_jobs_is_chosen)
{
        struct access_request requests[WORKERS];

        begin();
        for (unsigned i = 0; i < WORKERS; i++)
                EXPECT_EQ(ask(&requests[i], STR("open")), ACCESS_LATER);
        for (unsigned i = 0; i < WORKERS; i++) {
                while (loop_turn(hasher_loop(hasher, i), 0))
                        continue;
                hear();
                EXPECT_EQ(answered, i + 1);
        }
        end();
}

/* Before it was computed, and when its answer is on its way: nobody is told, nor is the request,
 * which may be gone, looked at; its place in the queue is free again. */
TEST(who_has_cancelled_is_not_told)
{
        begin();
        for (unsigned late = 0; late < 2; late++) {
                struct access_request *request = mem_zalloc(sizeof *request);

                EXPECT_EQ(ask(request, STR("open")), ACCESS_LATER);
                if (late)
                        work();
                cancel(request);
                EXPECT(request->provider_data == NULL);
                mem_free(request);
                work();
                hear();
                EXPECT_EQ(answered, 0);
                EXPECT_EQ(data->refs, 1);
        }
        for (unsigned i = 0; i < QUEUE_MAX; i++) {
                struct access_request request;

                EXPECT_EQ(ask(&request, STR("open")), ACCESS_LATER);
                cancel(&request);
        }
        end();
}

/* Jobs that no worker has begun, and answers that no shard has got, keep the secret, and let go of
 * it with the loops. */
TEST(an_end_frees_what_is_under_way)
{
        struct access_request requests[2];

        begin();
        EXPECT_EQ(ask(&requests[0], STR("open")), ACCESS_LATER);
        work();
        EXPECT_EQ(ask(&requests[1], STR("open")), ACCESS_LATER);
        EXPECT_EQ(data->refs, 3);
        end();
        EXPECT_EQ(answered, 0);
}

SUITE(hasher, CASE(a_password_is_checked_elsewhere), CASE(the_password_is_a_copy),
      CASE(the_queue_is_bounded_and_empties), CASE(the_worker_with_the_fewest_jobs_is_chosen),
      CASE(who_has_cancelled_is_not_told), CASE(an_end_frees_what_is_under_way))
