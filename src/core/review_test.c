#include "core/review.h"

#include "harness/world.h"
#include "unit.h"

/* A provider whose rules are a word: "allow" all, "deny" what begins with that topic. */
static const char *denied = "";
static unsigned    asked;

static enum access_verdict rules_check(void *context, struct access_request *request)
{
        (void)context;
        asked++;
        if (denied[0] == '\0' || !str_starts(request->topic, str_of(denied)))
                return ACCESS_ALLOW;
        return ACCESS_DENY;
}

static bool rules_are_there(void *context, const struct shard *shard)
{
        (void)context;
        (void)shard;
        return true;
}

static const struct access_provider rules = { .name      = "rules",
                                              .kinds     = ACCESS_TOPICS,
                                              .check     = rules_check,
                                              .has_rules = rules_are_there };

static bool add_rules(struct broker *broker, void *context)
{
        return access_add(broker->access, &rules, context);
}

static struct world *world;

static void begin(unsigned shards)
{
        struct settings         settings;
        const struct world_plan plan = { .shards   = shards,
                                         .settings = &settings,
                                         .prepare  = add_rules };

        settings_init(&settings);
        denied = "";
        world  = world_new(&plan);
        EXPECT(world != NULL);
}

/* A client as its session sees it. */
struct test_peer {
        struct peer           peer;
        struct access_note   *notes;
        unsigned              refused;
        enum reason           reason;
};

static bool peer_publish(struct peer *peer, const struct delivery *delivery, uint16_t packet_id,
                         bool dup)
{
        (void)peer;
        (void)delivery;
        (void)packet_id;
        (void)dup;
        return true;
}

static enum congestion peer_congested(const struct peer *peer)
{
        (void)peer;
        return PEER_FREE;
}

static void peer_refuse(struct peer *peer, enum reason reason, const char *why)
{
        struct test_peer *test = list_entry(peer, struct test_peer, peer);

        EXPECT(why != NULL);
        test->refused++;
        test->reason = reason;
}

static struct access_note **peer_identify(struct peer *peer, struct access_request *request,
                                          char address[static ACCESS_ADDRESS_SIZE])
{
        struct test_peer *test = list_entry(peer, struct test_peer, peer);

        address[0]            = '\0';
        request->address      = str_of(address);
        request->client_id    = peer->session->client_id;
        request->username     = peer->session->username;
        request->has_username = true;
        request->notes        = test->notes;
        return &test->notes;
}

static const struct peer_ops ops = { .publish   = peer_publish,
                                     .congested = peer_congested,
                                     .refuse    = peer_refuse,
                                     .identify  = peer_identify };

ON_SHARD static struct session *open_session(struct shard *shard, const char *client,
                                             const char *user)
{
        bool present;

        return session_open(shard, str_of(client), str_of(user), false, &present);
}

ON_SHARD static void join(struct session *session, struct test_peer *peer)
{
        *peer = (struct test_peer){ .peer = { .ops = &ops, .receive_maximum = 10 } };
        session_bind(session, &peer->peer);
        session_resume(session);
}

ON_SHARD static void subscribe(struct session *session, const char *filter)
{
        const struct subscription_options options = { .qos = 1 };
        bool                              existed;

        EXPECT(!reason_is_error(subscription_add(session, str_of(filter), &options, &existed)));
}

/* The shard of a world of one. */
static struct shard *only_shard(void)
{
        return world->broker.shards[0];
}

static void end(struct session *const *sessions, unsigned count)
{
        for (unsigned i = 0; i < count; i++) {
                struct shard *shard = sessions[i]->shard;

                role_claim(&shard->loop);
                access_forget(&list_entry(sessions[i]->peer, struct test_peer, peer)->notes);
                session_unbind(sessions[i], false);
                role_leave();
        }
        world_free(world);
}

TEST(a_user_goes_wherever_it_is)
{
        struct session  *sessions[4];
        struct test_peer peers[4];

        begin(4);
        for (unsigned i = 0; i < 4; i++) {
                struct shard *shard = world->broker.shards[i];
                char          id[]  = { (char)('a' + i), '\0' };

                role_claim(&shard->loop);
                sessions[i] = open_session(shard, id, i == 2 ? "bob" : "ann");
                join(sessions[i], &peers[i]);
                role_leave();
        }
        EXPECT(review_user(&world->broker, STR("ann")));
        EXPECT(world_run(world));
        for (unsigned i = 0; i < 4; i++)
                EXPECT_EQ(peers[i].refused, i == 2 ? 0 : 1);
        EXPECT_EQ(peers[0].reason, REASON_NOT_AUTHORIZED);

        /* Nobody of that name is refused later. */
        role_claim(&world->broker.shards[0]->loop);
        review_start(world->broker.shards[0]);
        role_leave();
        EXPECT(world_run(world));
        EXPECT_EQ(peers[0].refused, 1);
        end(sessions, 4);
}

/* No turn does more than its slice, however many subscriptions there are. */
TEST(a_review_goes_in_slices)
{
        enum { FILTERS = 3000 };
        struct session  *session;
        struct test_peer peer;
        unsigned         turns = 0, most = 0, all = 0;
        bool             more;

        begin(1);
        role_claim(&only_shard()->loop);
        session = open_session(only_shard(), "c", "ann");
        join(session, &peer);
        for (unsigned i = 0; i < FILTERS; i++) {
                char filter[32];

                snprintf(filter, sizeof filter, "%s/%u", i % 3 == 0 ? "no" : "yes", i);
                subscribe(session, filter);
        }
        denied = "no/";
        review_start(only_shard());
        role_leave();
        do {
                asked = 0;
                more = world_turn(world, 0);
                most = asked > most ? asked : most;
                all += asked;
                if (turns++ == 3) {     /* the map changes while it is walked */
                        role_claim(&only_shard()->loop);
                        subscription_remove(session, STR("yes/1"));
                        subscribe(session, "yes/new");
                        role_leave();
                }
        } while (more);
        EXPECT(most <= REVIEW_SLICE, "%u", most);
        EXPECT(all <= FILTERS + 1, "%u", all);
        EXPECT_EQ(session->subscriptions.count, FILTERS - FILTERS / 3);
        EXPECT_EQ(peer.refused, 1);
        end(&session, 1);
}

TEST(a_session_that_ends_in_its_review)
{
        struct session  *sessions[2];
        struct test_peer peers[2];

        begin(1);
        role_claim(&only_shard()->loop);
        for (unsigned i = 0; i < 2; i++) {
                sessions[i] = open_session(only_shard(), i == 0 ? "a" : "b", "ann");
                join(sessions[i], &peers[i]);
        }
        for (unsigned i = 0; i < 2 * REVIEW_SLICE; i++) {
                char filter[32];

                snprintf(filter, sizeof filter, "no/%u", i);
                subscribe(sessions[0], filter);
        }
        subscribe(sessions[1], "yes");
        denied = "no/";
        review_start(only_shard());
        role_leave();
        world_turn(world, 0);
        EXPECT(sessions[0]->subscriptions.count > 0);
        role_claim(&only_shard()->loop);
        access_forget(&peers[0].notes);
        session_unbind(sessions[0], false);
        role_leave();
        EXPECT(world_run(world));
        EXPECT_EQ(peers[1].refused, 0);
        EXPECT_EQ(sessions[1]->subscriptions.count, 1);
        end(&sessions[1], 1);
}

SUITE(review, CASE(a_user_goes_wherever_it_is), CASE(a_review_goes_in_slices),
      CASE(a_session_that_ends_in_its_review))
