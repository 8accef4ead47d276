#include "base/list.h"
#include "unit.h"

struct item {
        unsigned    number;
        struct list link;
};

static struct item items[8];

static void items_init(void)
{
        for (unsigned i = 0; i < 8; i++)
                items[i] = (struct item){ .number = i };
}

/* The list holds these numbers (decimal digits), forwards and backwards. */
static void expect_list(const struct list *head, const char *digits)
{
        const struct list *link = head;
        const char        *at   = digits;

        for (; *at != '\0'; at++) {
                link = link->next;
                EXPECT(link != head, "%s ends before %s", digits, at);
                EXPECT_EQ(list_entry(link, struct item, link)->number, *at - '0');
                EXPECT(link->prev->next == link && link->next->prev == link);
        }
        EXPECT(link->next == head, "%s goes on", digits);
        EXPECT(head->prev == link);
        EXPECT_EQ(list_empty(head), *digits == '\0');
}

TEST(members_keep_their_order)
{
        struct list head;

        items_init();
        list_init(&head);
        expect_list(&head, "");
        list_push_back(&head, &items[1].link);
        list_push_back(&head, &items[2].link);
        list_push_front(&head, &items[0].link);
        expect_list(&head, "012");
        EXPECT(list_linked(&items[1].link) && !list_linked(&items[3].link));
        list_remove(&items[1].link);
        expect_list(&head, "02");
        EXPECT(!list_linked(&items[1].link));
        list_push_back(&head, &items[1].link);
        EXPECT(list_pop(&head) == &items[0].link);
        EXPECT(list_pop(&head) == &items[2].link);
        EXPECT(list_pop(&head) == &items[1].link);
        EXPECT(list_pop(&head) == NULL);
        expect_list(&head, "");
}

TEST(splicing_moves_all)
{
        static const struct row {
                unsigned    to, from;   /* how many of the numbers each begins with */
                const char *after;
        } rows[] = {
                { 0, 0, "" },
                { 0, 1, "0" },
                { 1, 0, "0" },
                { 2, 3, "01234" },
                { 3, 1, "0123" },
        };
        const struct row *row;

        EACH(rows, row) {
                struct list to, from;

                items_init();
                list_init(&to);
                list_init(&from);
                for (unsigned i = 0; i < row->to + row->from; i++)
                        list_push_back(i < row->to ? &to : &from, &items[i].link);
                list_splice(&to, &from);
                expect_list(&to, row->after);
                expect_list(&from, "");
        }
}

TEST(a_walk_allows_removal_of_the_member_in_hand)
{
        struct list head;
        unsigned    met = 0;

        items_init();
        list_init(&head);
        for (unsigned i = 0; i < 8; i++)
                list_push_back(&head, &items[i].link);
        list_each(link, after, &head) {
                struct item *item = list_entry(link, struct item, link);

                EXPECT_EQ(item->number, met++);
                if (item->number % 3 != 1)
                        list_remove(link);
        }
        EXPECT_EQ(met, 8);
        expect_list(&head, "147");
}

SUITE(list, CASE(members_keep_their_order), CASE(splicing_moves_all),
      CASE(a_walk_allows_removal_of_the_member_in_hand))
