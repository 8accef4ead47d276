/* The first byte says in which language; the next line is a client's name, its user name, an
 * address and a topic, with blanks between; the rest is an ACL file. What is taken is asked about:
 * nothing of a name is allowed in part, and what is allowed when no delivery is checked, is when
 * each is. */
#include <assert.h>
#include <stdint.h>

#include "mqtt/topic.h"
#include "mqtt/utf8.h"
#include "services/acl/rules.h"

static enum access_verdict ask(const struct acl_rules *rules, struct access_request *request,
                               enum access_kind kind, bool check_delivery)
{
        request->kind   = kind;
        request->partly = request->unsure = false;
        return acl_rules_check(rules, request, check_delivery);
}

/* A topic name is a filter that matches itself: nothing of it is allowed in part. */
static void check_name(const struct acl_rules *rules, struct access_request *request)
{
        enum access_verdict subscribed = ask(rules, request, ACCESS_SUBSCRIBE, true);

        assert(!request->partly || subscribed != ACCESS_ALLOW || request->unsure);
        assert(ask(rules, request, ACCESS_SUBSCRIBE, false) == subscribed);
        ask(rules, request, ACCESS_PUBLISH, true);
}

static void check_filter(const struct acl_rules *rules, struct access_request *request)
{
        enum access_verdict with    = ask(rules, request, ACCESS_SUBSCRIBE, true);
        enum access_verdict without = ask(rules, request, ACCESS_SUBSCRIBE, false);

        assert(without != ACCESS_ALLOW || with == ACCESS_ALLOW);
        assert(!request->partly);
}

static void check(const struct acl_rules *rules, struct str line)
{
        struct access_request request = { .qos = 1 };
        struct str            user, address;

        str_cut(&line, ' ', &request.client_id);
        str_cut(&line, ' ', &user);
        str_cut(&line, ' ', &address);
        request.topic        = line;
        request.username     = user;
        request.has_username = user.len > 0;
        request.address      = address;
        request.away         = address.len == 0;
        request.review       = request.away;
        if (line.len == 0 || !utf8_valid(line) || !topic_filter_valid(line))
                return;
        if (topic_name_valid(line)) {
                check_name(rules, &request);
                ask(rules, &request, ACCESS_DELIVER, true);
        } else {
                check_filter(rules, &request);
        }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        char              why[ACL_WHY_SIZE] = "";
        struct str        text, line;
        struct acl_rules *rules;

        if (size == 0)
                return 0;
        text = str_from(data + 1, size - 1);
        if (!str_cut(&text, '\n', &line) || text.ptr == NULL)
                return 0;
        rules = acl_rules_parse("acl", text, data[0] % 3, why);
        assert((rules == NULL) == (why[0] != '\0'));
        if (rules == NULL)
                return 0;
        assert(acl_rules_count(rules) <= text.len);
        check(rules, line);
        acl_rules_put(rules);
        return 0;
}
