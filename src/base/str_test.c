#include "base/str.h"
#include "unit.h"

static int sign(int x)
{
        return (x > 0) - (x < 0);
}

TEST(equality_is_of_bytes)
{
        static const struct row {
                struct str a, b;
                bool       equal, starts;
        } rows[] = {
                { STR("a"), STR("a"), true, true },
                { STR("a"), STR("b"), false, false },
                { STR("ab"), STR("a"), false, true },
                { STR("a"), STR("ab"), false, false },
                { STR("a\0b"), STR("a\0c"), false, false },
                { STR(""), { 0 }, true, true },
                { { 0 }, STR(""), true, true },
                { { 0 }, { 0 }, true, true },
                { STR("a"), { 0 }, false, true },
                { { 0 }, STR("a"), false, false },
        };
        const struct row *row;

        EACH(rows, row) {
                EXPECT(str_eq(row->a, row->b) == row->equal, "row %td", row - rows);
                EXPECT(str_starts(row->a, row->b) == row->starts, "row %td", row - rows);
        }
}

TEST(order_is_that_of_bytes_and_prefixes_come_first)
{
        static const struct row {
                struct str a, b;
                int        order;
        } rows[] = {
                { STR("a"), STR("a"), 0 },     { STR("a"), STR("b"), -1 },
                { STR("a"), STR("ab"), -1 },   { STR("b"), STR("ab"), 1 },
                { STR("\xff"), STR("a"), 1 },  { STR(""), STR("\0"), -1 },
                { { 0 }, STR("a"), -1 },       { { 0 }, STR(""), 0 },
        };
        const struct row *row;

        EACH(rows, row) {
                EXPECT_EQ(sign(str_compare(row->a, row->b)), row->order);
                EXPECT_EQ(sign(str_compare(row->b, row->a)), -row->order);
        }
}

TEST(cut_gives_every_part_once)
{
        static const struct row {
                struct str  whole;
                unsigned    count;
                const char *parts[4];
        } rows[] = {
                { STR("a/b/c"), 3, { "a", "b", "c" } },
                { STR("a//b"), 3, { "a", "", "b" } },
                { STR("/a"), 2, { "", "a" } },
                { STR("a/"), 2, { "a", "" } },
                { STR("/"), 2, { "", "" } },
                { STR("abc"), 1, { "abc" } },
                { STR(""), 1, { "" } },
                { { 0 }, 0, { 0 } },
        };
        const struct row *row;

        EACH(rows, row) {
                struct str rest = row->whole, part;
                unsigned   count = 0;

                while (str_cut(&rest, '/', &part)) {
                        EXPECT(count < row->count, "row %td", row - rows);
                        EXPECT(str_eq(part, str_of(row->parts[count])), "row %td: %.*s",
                               row - rows, STR_ARGS(part));
                        count++;
                }
                EXPECT_EQ(count, row->count);
                EXPECT(rest.ptr == NULL && rest.len == 0, "row %td", row - rows);
        }
}

TEST(lists_have_commas_and_spaces)
{
        struct str rest = STR(" a,b ,\t, c d "), part;

        EXPECT(str_list_cut(&rest, &part) && str_eq(part, STR("a")));
        EXPECT(str_list_cut(&rest, &part) && str_eq(part, STR("b")));
        EXPECT(str_list_cut(&rest, &part) && part.len == 0);
        EXPECT(str_list_cut(&rest, &part) && str_eq(part, STR("c d")));
        EXPECT(!str_list_cut(&rest, &part));
        EXPECT_EQ(str_trim(STR(" \t ")).len, 0);
}

static bool is_short(struct str part)
{
        return part.len < 2;
}

TEST(a_list_is_good_when_all_of_it_is)
{
        EXPECT(str_list_all(STR("a, b,"), is_short));
        EXPECT(!str_list_all(STR("a,bc,d"), is_short));
        EXPECT(!str_list_all(STR("a,bc"), is_short));
        EXPECT(str_list_all(STR(""), is_short));
        EXPECT(!str_list_all((struct str){ 0 }, is_short));
}

TEST(words_are_the_same_in_any_case)
{
        EXPECT(str_same_word(STR("WebSocket"), STR("websocket")));
        EXPECT(!str_same_word(STR("websocket"), STR("websockets")));
        EXPECT(!str_same_word(STR("a@[`{"), STR("a`{@[")));     /* no letters */
        EXPECT(str_same_word(STR(""), (struct str){ 0 }));
}

TEST(views_of_nothing_are_harmless)
{
        struct str none = str_of(NULL);

        EXPECT_EQ(none.len, 0);
        EXPECT(str_skip(none, 0).ptr == NULL);
        EXPECT_EQ(snprintf(NULL, 0, "%.*s", STR_ARGS(none)), 0);
        EXPECT_EQ(str_of("abc").len, 3);
        EXPECT(str_eq(str_skip(STR("abc"), 2), STR("c")));
        EXPECT_EQ(str_skip(STR("abc"), 3).len, 0);
}

SUITE(str, CASE(equality_is_of_bytes), CASE(order_is_that_of_bytes_and_prefixes_come_first),
      CASE(cut_gives_every_part_once), CASE(lists_have_commas_and_spaces),
      CASE(a_list_is_good_when_all_of_it_is),
      CASE(words_are_the_same_in_any_case), CASE(views_of_nothing_are_harmless))
