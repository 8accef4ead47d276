#include "core/receipt.h"

#include <string.h>

#include "base/memory.h"
#include "core/session.h"
#include "harness/world.h"
#include "unit.h"

/* A broker with a store, and a message that came to its first shard. */
struct bench {
        struct world   *world;
        struct shard   *shards[2];
        struct message *message;
        struct receipt *receipt;
        unsigned        done;
};

static void bench_init(struct bench *b)
{
        struct message_fields fields = { .topic = STR("t"), .qos = 1, .guid = { 1, 1 } };
        struct settings       settings;
        struct world_plan     plan = { .shards = 2, .settings = &settings,
                                       .durability = DURABILITY_STRICT };

        settings_init(&settings);
        settings.store_linger_ms = 0;
        settings.sys_interval_ms = 0;
        memset(b, 0, sizeof *b);
        b->world = world_new(&plan);
        EXPECT(b->world != NULL);
        EXPECT(world_run(b->world));
        for (unsigned i = 0; i < 2; i++)
                b->shards[i] = b->world->broker.shards[i];
        b->message = message_new(&fields);
        role_claim(&b->shards[0]->loop);
}

static void bench_deinit(struct bench *b)
{
        message_put(b->message);
        role_leave();
        world_free(b->world);
}

/* Turns all shards, as whoever it was before. */
static void turn(struct bench *b)
{
        role_leave();
        EXPECT(world_run(b->world));
        role_claim(&b->shards[0]->loop);
}

static void on_done(struct receipt *receipt)
{
        ++*(unsigned *)receipt->context;
}

static void open_receipt(struct bench *b, struct session *session, uint16_t packet_id)
{
        b->receipt = receipt_open(b->shards[0], b->message, session, packet_id);
        EXPECT(b->receipt != NULL && b->message->receipt == b->receipt);
}

TEST(what_owes_nothing_is_done_at_once)
{
        struct bench b;

        bench_init(&b);
        open_receipt(&b, NULL, 0);
        EXPECT_EQ(receipt_close(b.receipt, on_done, &b.done), RECEIPT_DONE);
        EXPECT_EQ(b.done, 0);
        bench_deinit(&b);
}

TEST(what_could_not_be_kept_is_lost)
{
        struct bench b;

        bench_init(&b);
        open_receipt(&b, NULL, 0);
        receipt_owe(b.message, b.shards[0]);
        receipt_lose(b.message);
        EXPECT_EQ(receipt_close(b.receipt, on_done, &b.done), RECEIPT_LOST);
        receipt_pay(b.message, b.shards[0]);            /* the other record, later */
        EXPECT_EQ(b.done, 0);
        bench_deinit(&b);
}

/* Debts that are paid before the end of publish() and after it; the last one counts. */
TEST(it_is_done_with_the_last_debt)
{
        struct bench b;

        bench_init(&b);
        open_receipt(&b, NULL, 0);
        for (unsigned i = 0; i < 3; i++)
                receipt_owe(b.message, b.shards[0]);
        receipt_pay(b.message, b.shards[0]);
        EXPECT_EQ(receipt_close(b.receipt, on_done, &b.done), RECEIPT_WAITS);
        receipt_pay(b.message, b.shards[0]);
        EXPECT_EQ(b.done, 0);
        receipt_pay(b.message, b.shards[0]);
        EXPECT_EQ(b.done, 1);

        /* A retained message is delivered, and kept, long after it was acknowledged. */
        receipt_owe(b.message, b.shards[0]);
        receipt_pay(b.message, b.shards[0]);
        EXPECT_EQ(b.done, 1);
        bench_deinit(&b);
}

TEST(who_has_gone_is_not_told)
{
        struct bench b;

        bench_init(&b);
        open_receipt(&b, NULL, 0);
        receipt_owe(b.message, b.shards[0]);
        EXPECT_EQ(receipt_close(b.receipt, on_done, &b.done), RECEIPT_WAITS);
        receipt_forget(b.receipt);
        receipt_pay(b.message, b.shards[0]);
        EXPECT_EQ(b.done, 0);
        bench_deinit(&b);
}

/* The last debt is paid on another shard: the origin is told by mail, on its own thread. */
TEST(another_shard_owes_too)
{
        struct bench b;

        bench_init(&b);
        open_receipt(&b, NULL, 0);
        receipt_mail(b.message, b.shards[0]);
        EXPECT(b.receipt->remote);
        EXPECT_EQ(receipt_close(b.receipt, on_done, &b.done), RECEIPT_WAITS);
        role_leave();
        role_claim(&b.shards[1]->loop);
        receipt_owe(b.message, b.shards[1]);
        receipt_mailed(b.message, b.shards[1]);
        EXPECT_EQ(b.done, 0);
        receipt_pay(b.message, b.shards[1]);
        EXPECT_EQ(b.done, 0);
        turn(&b);
        EXPECT_EQ(b.done, 1);
        bench_deinit(&b);
}

/* At QoS 2 the packet id must be safe as well, and not before the records are. */
TEST(an_exact_one_waits_for_its_packet_id)
{
        struct bench    b;
        struct session *session;
        bool            present;
        uint64_t        key = 0;

        bench_init(&b);
        session = session_open(b.shards[0], STR("p"), (struct str){ 0 }, false, &present);
        session_keep(session, DURABILITY_STRICT);
        EXPECT(awaiting_rel_add(&session->awaiting_rel, 7, 0));
        open_receipt(&b, session, 7);
        EXPECT(receipt_find(session, 7) == b.receipt);
        EXPECT(receipt_find(session, 8) == NULL);
        receipt_mail(b.message, b.shards[0]);
        EXPECT_EQ(receipt_close(b.receipt, on_done, &b.done), RECEIPT_WAITS);
        turn(&b);
        EXPECT_EQ(b.done, 0);
        EXPECT(receipt_find(session, 7) == b.receipt, "the other shard has not said anything");
        role_leave();
        role_claim(&b.shards[1]->loop);
        receipt_mailed(b.message, b.shards[1]);
        turn(&b);
        EXPECT_EQ(b.done, 1);
        EXPECT(receipt_find(session, 7) == NULL);
        EXPECT(awaiting_rel_remove(&session->awaiting_rel, 7, &key) && key != 0, "it has a record");
        journal_remove_key(b.shards[0], key, false);
        bench_deinit(&b);
}

/* Its PUBREC says so: the client may take the id for another message, or send this one again. */
TEST(the_packet_id_of_a_lost_one_is_free)
{
        struct bench    b;
        struct session *session;
        bool            present;

        bench_init(&b);
        session = session_open(b.shards[0], STR("p"), (struct str){ 0 }, false, &present);
        session_keep(session, DURABILITY_STRICT);
        EXPECT(awaiting_rel_add(&session->awaiting_rel, 7, 0));
        open_receipt(&b, session, 7);
        receipt_lose(b.message);
        EXPECT_EQ(receipt_close(b.receipt, on_done, &b.done), RECEIPT_WAITS);
        turn(&b);
        EXPECT_EQ(b.done, 1);
        EXPECT(!awaiting_rel_has(&session->awaiting_rel, 7));
        bench_deinit(&b);
}

TEST(without_memory_there_is_none)
{
        struct bench b;

        bench_init(&b);
        mem_fail_after(0);
        EXPECT(receipt_open(b.shards[0], b.message, NULL, 0) == NULL);
        mem_fail_after(-1);
        EXPECT(b.message->receipt == NULL);
        receipt_owe(b.message, b.shards[0]);            /* none of it is anything without one */
        receipt_pay(b.message, b.shards[0]);
        receipt_lose(b.message);
        bench_deinit(&b);
}

SUITE(receipt, CASE(what_owes_nothing_is_done_at_once), CASE(what_could_not_be_kept_is_lost),
      CASE(it_is_done_with_the_last_debt), CASE(who_has_gone_is_not_told),
      CASE(another_shard_owes_too), CASE(an_exact_one_waits_for_its_packet_id),
      CASE(the_packet_id_of_a_lost_one_is_free), CASE(without_memory_there_is_none))
