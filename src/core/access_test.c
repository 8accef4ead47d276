#include "core/access.h"

#include "core/shard.h"
#include "unit.h"

static struct broker     broker;
static struct settings   settings;
static struct clock_time now;
static struct shard      shard;

static struct clock_time test_clock(void *context)
{
        (void)context;
        return now;
}

/* A provider that says what its row wants. */
struct voice {
        enum access_verdict verdict;
        unsigned            asked, cancelled;
};

static enum access_verdict voice_check(void *context, struct access_request *request)
{
        struct voice *voice = context;

        (void)request;
        voice->asked++;
        return voice->verdict;
}

static void voice_cancel(void *context, struct access_request *request)
{
        struct voice *voice = context;

        (void)request;
        voice->cancelled++;
}

static const struct access_provider plain = { .name   = "plain",
                                              .kinds  = ACCESS_CONNECTS | ACCESS_TOPICS,
                                              .check  = voice_check,
                                              .cancel = voice_cancel };
static enum access_verdict          told;

static void answered(struct access_request *request, enum access_verdict verdict)
{
        (void)request;
        told = verdict;
}

static void begin(struct voice *first, struct voice *second)
{
        shard           = (struct shard){ .broker = &broker, .settings = &settings };
        broker.loops[0] = &shard.loop;
        loop_init(&shard.loop, &(struct loop_config){ .count = 1,
                                                      .peers = broker.loops,
                                                      .poll  = poll_memory_new(),
                                                      .clock = test_clock });
        role_claim(&shard.loop);
        settings_init(&settings);
        broker.access = access_new();
        EXPECT(broker.access != NULL);
        EXPECT(access_add(broker.access, &plain, first));
        EXPECT(access_add(broker.access, &plain, second));
        told = ACCESS_LATER;
}

static void end(void)
{
        EXPECT_EQ(shard.loop.wheel.count, 0);
        access_free(broker.access);
        role_leave();
        loop_deinit(&shard.loop);
}

static void wait_ms(uint64_t ms)
{
        role_leave();
        now.mono_ms += ms;
        loop_turn(&shard.loop, 0);
        role_claim(&shard.loop);
}

static struct access_request question(enum access_kind kind)
{
        return (struct access_request){ .shard = &shard, .kind = kind, .answered = answered };
}

TEST(the_first_that_does_not_ignore_decides)
{
        static const struct row {
                enum access_verdict first, second, expected;
                unsigned            asked;      /* of the second */
        } rows[] = {
                { ACCESS_ALLOW, ACCESS_DENY, ACCESS_ALLOW, 0 },
                { ACCESS_DENY, ACCESS_ALLOW, ACCESS_DENY, 0 },
                { ACCESS_IGNORE, ACCESS_DENY, ACCESS_DENY, 1 },
                { ACCESS_IGNORE, ACCESS_IGNORE, ACCESS_ALLOW, 1 },
        };
        const struct row *row;

        EACH(rows, row)
        {
                struct voice          first   = { .verdict = row->first };
                struct voice          second  = { .verdict = row->second };
                struct access_request request = question(ACCESS_PUBLISH);

                begin(&first, &second);
                EXPECT_EQ(access_check(&request), row->expected);
                EXPECT_EQ(second.asked, row->asked);
                end();
        }
}

TEST(an_answer_goes_on_along_the_chain)
{
        struct voice          first   = { .verdict = ACCESS_LATER };
        struct voice          second  = { .verdict = ACCESS_DENY };
        struct access_request request = question(ACCESS_SUBSCRIBE);

        begin(&first, &second);
        EXPECT_EQ(access_check(&request), ACCESS_LATER);
        EXPECT_EQ(second.asked, 0);
        access_answer(&request, ACCESS_IGNORE);
        EXPECT_EQ(told, ACCESS_DENY);
        EXPECT_EQ(second.asked, 1);
        end();
}

TEST(who_owes_an_answer_is_told_of_the_end)
{
        struct voice          first   = { .verdict = ACCESS_LATER };
        struct voice          second  = { .verdict = ACCESS_ALLOW };
        struct access_request request = question(ACCESS_CONNECT);

        begin(&first, &second);
        EXPECT_EQ(access_check(&request), ACCESS_LATER);
        access_cancel(&request);
        access_cancel(&request);
        EXPECT_EQ(first.cancelled, 1);
        EXPECT_EQ(told, ACCESS_LATER);
        end();
}

TEST(a_question_has_one_limit_for_all_it_waits_for)
{
        struct voice          first   = { .verdict = ACCESS_LATER };
        struct voice          second  = { .verdict = ACCESS_LATER };
        struct access_request request = question(ACCESS_CONNECT);

        begin(&first, &second);
        settings.access_timeout_ms = 1000;
        EXPECT_EQ(access_check(&request), ACCESS_LATER);
        wait_ms(900);
        access_answer(&request, ACCESS_IGNORE);
        wait_ms(99);
        EXPECT_EQ(told, ACCESS_LATER);
        EXPECT_EQ(second.cancelled, 0);
        wait_ms(1);
        EXPECT_EQ(told, ACCESS_DENY);
        EXPECT_EQ(first.cancelled, 0);
        EXPECT_EQ(second.cancelled, 1);
        EXPECT_EQ(request.reason, REASON_SERVER_BUSY);
        EXPECT(request.why != NULL && request.late != NULL);
        EXPECT_EQ(shard.metrics.access_timeout, 1);

        first.verdict = ACCESS_ALLOW;
        EXPECT_EQ(access_check(&request), ACCESS_ALLOW);
        EXPECT(request.late == NULL);
        end();
}

TEST(who_cannot_say_at_once_leaves_a_message_to_who_let_through_a_part)
{
        static const struct row {
                enum access_kind    kind;
                bool                unchecked;
                enum access_verdict expected;
        } rows[] = {
                { ACCESS_DELIVER, false, ACCESS_DENY },
                { ACCESS_DELIVER, true, ACCESS_ALLOW },
                { ACCESS_SUBSCRIBE, false, ACCESS_ALLOW },
        };
        const struct row *row;

        EACH(rows, row)
        {
                struct voice          first   = { .verdict = ACCESS_LATER };
                struct voice          second  = { .verdict = ACCESS_DENY };
                struct access_request request = question(row->kind);

                request.review    = true;
                request.unchecked = row->unchecked;
                begin(&first, &second);
                EXPECT_EQ(access_check(&request), row->expected);
                EXPECT_EQ(request.unsure, row->expected == ACCESS_ALLOW);
                EXPECT_EQ(first.cancelled, 1);
                end();
        }
}

TEST(an_answer_in_time_ends_the_limit)
{
        struct voice          first   = { .verdict = ACCESS_LATER };
        struct voice          second  = { .verdict = ACCESS_DENY };
        struct access_request request = question(ACCESS_PUBLISH);

        begin(&first, &second);
        EXPECT_EQ(access_check(&request), ACCESS_LATER);
        access_answer(&request, ACCESS_ALLOW);
        EXPECT_EQ(told, ACCESS_ALLOW);
        wait_ms(settings.access_timeout_ms);
        EXPECT_EQ(told, ACCESS_ALLOW);

        EXPECT_EQ(access_check(&request), ACCESS_LATER);
        wait_ms(settings.access_timeout_ms - 1);        /* the next question has its own limit */
        EXPECT_EQ(shard.metrics.access_timeout, 0);
        access_cancel(&request);
        end();
}

struct remark {
        struct access_note note;
        unsigned           freed;
};

static void remark_free(struct access_note *note)
{
        list_entry(note, struct remark, note)->freed++;
}

TEST(a_note_is_its_owners_until_another_takes_its_place)
{
        static const char     ann, ben, eve;
        struct remark         of_ann  = { .note = { .owner = &ann, .free = remark_free } };
        struct remark         of_ben  = { .note = { .owner = &ben, .free = remark_free } };
        struct remark         another = { .note = { .owner = &ann, .free = remark_free } };
        struct access_request request = question(ACCESS_CONNECT);

        access_keep(&request, &of_ann.note);
        access_keep(&request, &of_ben.note);
        EXPECT(access_note(&request, &ann) == &of_ann.note);
        access_keep(&request, &another.note);
        EXPECT(access_note(&request, &ann) == &another.note);
        EXPECT(access_note(&request, &ben) == &of_ben.note);
        EXPECT(access_note(&request, &eve) == NULL);
        EXPECT_EQ(of_ann.freed, 1);
        access_forget(&request.notes);
        access_forget(&request.notes);
        EXPECT(access_note(&request, &ben) == NULL);
        EXPECT_EQ(of_ann.freed, 1);
        EXPECT_EQ(of_ben.freed, 1);
        EXPECT_EQ(another.freed, 1);
}

/* What an earlier CONNECT was granted says nothing of the next; a topic is no CONNECT. */
TEST(a_connect_begins_without_rights)
{
        struct voice          first   = { .verdict = ACCESS_ALLOW };
        struct voice          second  = { .verdict = ACCESS_ALLOW };
        struct access_request request = question(ACCESS_PUBLISH);

        begin(&first, &second);
        request.superuser = true;
        request.until_us  = 7;
        access_check(&request);
        EXPECT(request.superuser && request.until_us == 7);
        request.kind = ACCESS_CONNECT;
        access_check(&request);
        EXPECT(!request.superuser && request.until_us == 0);
        end();
}

/* Who is known to none: by the policy, and by whether there is anyone who could know. */
TEST(who_nobody_knows)
{
        static const struct row {
                bool                anonymous, loopback_anonymous, loopback, authenticator, name;
                enum access_verdict expected;
                enum reason         reason;
        } rows[] = {
                { true, false, false, false, true, ACCESS_ALLOW, REASON_SUCCESS },
                { false, true, true, false, true, ACCESS_ALLOW, REASON_SUCCESS },
                { false, true, false, false, true, ACCESS_DENY, REASON_NOT_AUTHORIZED },
                { false, false, true, false, false, ACCESS_DENY, REASON_NOT_AUTHORIZED },
                { true, true, true, true, false, ACCESS_ALLOW, REASON_SUCCESS },
                { true, true, true, true, true, ACCESS_DENY, REASON_BAD_USER_NAME_OR_PASSWORD },
                { false, true, true, true, false, ACCESS_DENY, REASON_NOT_AUTHORIZED },
        };
        static const struct access_provider topics = { .name  = "topics",
                                                       .kinds = ACCESS_TOPICS,
                                                       .check = voice_check };
        const struct row *row;

        EACH(rows, row)
        {
                struct voice          voice   = { .verdict = ACCESS_IGNORE };
                struct access_request request = question(ACCESS_CONNECT);

                begin(&voice, &voice);
                if (!row->authenticator) {
                        access_free(broker.access);
                        broker.access = access_new();
                        EXPECT(access_add(broker.access, &topics, &voice));
                }
                settings.allow_anonymous          = row->anonymous;
                settings.allow_anonymous_loopback = row->loopback_anonymous;
                request.loopback                  = row->loopback;
                request.has_username              = row->name;
                EXPECT_EQ(access_check(&request), row->expected);
                EXPECT_EQ(request.by_policy, row->expected == ACCESS_ALLOW);
                EXPECT_EQ(shard.metrics.auth_anonymous, row->expected == ACCESS_ALLOW);
                EXPECT_EQ(shard.metrics.auth_unknown, row->expected == ACCESS_DENY);
                EXPECT_EQ(voice.asked, row->authenticator ? 2 : 0);
                if (row->expected == ACCESS_DENY)
                        EXPECT_EQ(request.reason, row->reason);
                end();
        }
}

TEST(a_client_id_goes_with_a_name)
{
        static const struct row {
                enum clientid_rule  rule;
                const char         *name, *identity, *id;
                bool                is_its;
                enum access_verdict expected;
        } rows[] = {
                { CLIENTID_ANY, "bob", NULL, "alice", false, ACCESS_ALLOW },
                { CLIENTID_ANY, NULL, NULL, "alice", false, ACCESS_ALLOW },
                { CLIENTID_USERNAME, "bob", NULL, "bob", false, ACCESS_ALLOW },
                { CLIENTID_USERNAME, "bob", NULL, "bob-1", false, ACCESS_DENY },
                { CLIENTID_USERNAME, "bob", "alice", "bob", false, ACCESS_DENY },
                { CLIENTID_USERNAME, "bob", "alice", "alice", false, ACCESS_ALLOW },
                { CLIENTID_USERNAME, "bob", NULL, "made-up", true, ACCESS_DENY },
                { CLIENTID_USERNAME, NULL, NULL, "sensor", false, ACCESS_DENY },
                { CLIENTID_USERNAME, NULL, NULL, "sensor", true, ACCESS_ALLOW },
                { CLIENTID_USERNAME, "", NULL, "", false, ACCESS_DENY },
                { CLIENTID_USERNAME_PREFIX, NULL, NULL, "bob-1", false, ACCESS_DENY },
                { CLIENTID_USERNAME_PREFIX, "", NULL, "bob-1", false, ACCESS_DENY },
                { CLIENTID_USERNAME_PREFIX, NULL, NULL, "made-up", true, ACCESS_ALLOW },
                { CLIENTID_USERNAME_PREFIX, "bob", NULL, "bob-1", false, ACCESS_ALLOW },
                { CLIENTID_USERNAME_PREFIX, "bob", NULL, "xbob", false, ACCESS_DENY },
        };
        const struct row *row;

        EACH(rows, row)
        {
                struct voice          voice   = { .verdict = ACCESS_LATER };
                struct access_request request = question(ACCESS_CONNECT);

                begin(&voice, &voice);
                settings.clientid_rule = row->rule;
                request.username       = str_of(row->name);
                request.has_username   = row->name != NULL;
                request.client_id      = str_of(row->id);
                request.id_is_its      = row->is_its;
                EXPECT_EQ(access_check(&request), ACCESS_LATER);
                request.identity = str_of(row->identity);
                access_answer(&request, ACCESS_ALLOW);
                EXPECT(told == row->expected, "%s as %s", row->id, row->name);
                EXPECT_EQ(shard.metrics.auth_success, row->expected == ACCESS_ALLOW);
                EXPECT_EQ(shard.metrics.auth_failure, row->expected == ACCESS_DENY);
                EXPECT(str_eq(str_of(request.by), STR("plain")));
                if (row->expected == ACCESS_DENY)
                        EXPECT_EQ(request.reason, REASON_CLIENT_IDENTIFIER_NOT_VALID);
                end();
        }
}

SUITE(access, CASE(who_nobody_knows), CASE(a_client_id_goes_with_a_name),
      CASE(the_first_that_does_not_ignore_decides), CASE(an_answer_goes_on_along_the_chain),
      CASE(who_owes_an_answer_is_told_of_the_end),
      CASE(a_question_has_one_limit_for_all_it_waits_for),
      CASE(who_cannot_say_at_once_leaves_a_message_to_who_let_through_a_part),
      CASE(an_answer_in_time_ends_the_limit),
      CASE(a_note_is_its_owners_until_another_takes_its_place),
      CASE(a_connect_begins_without_rights))
