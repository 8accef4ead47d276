#include "net/circuit.h"

#include "unit.h"

static const struct circuit_config config = { .failures = 3, .window_ms = 1000, .pause_ms = 500 };

static enum circuit_change tell(struct circuit *circuit, bool good, uint64_t now_ms)
{
        enum circuit_pass pass = circuit_ask(circuit, now_ms);

        EXPECT(pass != CIRCUIT_REFUSES);
        return circuit_tell(circuit, &config, pass, good, now_ms);
}

static struct circuit opened(void)
{
        struct circuit circuit = { 0 };

        EXPECT_EQ(tell(&circuit, false, 1), CIRCUIT_SAME);
        EXPECT_EQ(tell(&circuit, false, 2), CIRCUIT_SAME);
        EXPECT_EQ(tell(&circuit, false, 3), CIRCUIT_OPENED);
        return circuit;
}

TEST(it_opens_after_failures_in_a_row)
{
        struct circuit circuit = { 0 };

        tell(&circuit, false, 1);
        tell(&circuit, false, 1);
        tell(&circuit, true, 1);
        tell(&circuit, false, 1);
        tell(&circuit, false, 1);
        EXPECT_EQ(circuit_ask(&circuit, 1), CIRCUIT_PASSES);

        circuit = opened();
        EXPECT_EQ(circuit_ask(&circuit, 3), CIRCUIT_REFUSES);
        EXPECT_EQ(circuit_ask(&circuit, 502), CIRCUIT_REFUSES);
}

TEST(failures_that_lie_far_apart_are_not_in_a_row)
{
        struct circuit circuit = { 0 };

        tell(&circuit, false, 0);
        tell(&circuit, false, 900);
        EXPECT_EQ(tell(&circuit, false, 1001), CIRCUIT_SAME);
        EXPECT_EQ(tell(&circuit, false, 1002), CIRCUIT_SAME);
        EXPECT_EQ(tell(&circuit, false, 2001), CIRCUIT_OPENED);
}

TEST(one_request_is_tried_with)
{
        struct circuit circuit = opened();

        EXPECT_EQ(circuit_ask(&circuit, 503), CIRCUIT_TRIES);
        EXPECT_EQ(circuit_ask(&circuit, 503), CIRCUIT_REFUSES);
        EXPECT_EQ(circuit_tell(&circuit, &config, CIRCUIT_TRIES, false, 600), CIRCUIT_SAME);
        EXPECT_EQ(circuit_ask(&circuit, 1099), CIRCUIT_REFUSES);
        EXPECT_EQ(circuit_ask(&circuit, 1100), CIRCUIT_TRIES);
        EXPECT_EQ(circuit_tell(&circuit, &config, CIRCUIT_TRIES, true, 1101), CIRCUIT_SHUT);
        EXPECT_EQ(circuit_ask(&circuit, 1101), CIRCUIT_PASSES);
        EXPECT_EQ(tell(&circuit, false, 1101), CIRCUIT_SAME);
}

TEST(one_that_was_given_up_leaves_its_place_to_the_next)
{
        struct circuit circuit = opened();

        EXPECT_EQ(circuit_ask(&circuit, 503), CIRCUIT_TRIES);
        circuit_forget(&circuit, CIRCUIT_TRIES);
        EXPECT_EQ(circuit_ask(&circuit, 503), CIRCUIT_TRIES);
        circuit_forget(&circuit, CIRCUIT_PASSES);
        EXPECT_EQ(circuit_ask(&circuit, 503), CIRCUIT_REFUSES);
}

TEST(what_began_before_it_opened_says_nothing)
{
        struct circuit circuit = opened();

        EXPECT_EQ(circuit_tell(&circuit, &config, CIRCUIT_PASSES, true, 4), CIRCUIT_SAME);
        EXPECT_EQ(circuit_tell(&circuit, &config, CIRCUIT_PASSES, false, 4), CIRCUIT_SAME);
        EXPECT_EQ(circuit_ask(&circuit, 502), CIRCUIT_REFUSES);
        EXPECT_EQ(circuit_ask(&circuit, 503), CIRCUIT_TRIES);
}

TEST(it_never_opens_when_it_is_off)
{
        static const struct circuit_config off     = { .failures = 0 };
        struct circuit                     circuit = { 0 };

        for (unsigned i = 0; i < 100; i++)
                EXPECT_EQ(circuit_tell(&circuit, &off, circuit_ask(&circuit, i), false, i),
                          CIRCUIT_SAME);
}

SUITE(circuit, CASE(it_opens_after_failures_in_a_row),
      CASE(failures_that_lie_far_apart_are_not_in_a_row), CASE(one_request_is_tried_with),
      CASE(one_that_was_given_up_leaves_its_place_to_the_next),
      CASE(what_began_before_it_opened_says_nothing), CASE(it_never_opens_when_it_is_off))
