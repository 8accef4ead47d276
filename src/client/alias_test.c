#include "client/alias.h"
#include "unit.h"

TEST(set_get_and_set_anew)
{
        struct alias_table table = { 0 };

        EXPECT(alias_get(&table, 1).ptr == NULL);
        EXPECT(alias_set(&table, 3, STR("a/b")));
        EXPECT(alias_get(&table, 1).ptr == NULL);
        EXPECT(alias_get(&table, 4).ptr == NULL);
        EXPECT(str_eq(alias_get(&table, 3), STR("a/b")));
        EXPECT(alias_set(&table, 3, alias_get(&table, 3)));
        EXPECT(alias_set(&table, 3, STR("c")));
        EXPECT(str_eq(alias_get(&table, 3), STR("c")));
        alias_deinit(&table);
        EXPECT(alias_get(&table, 3).ptr == NULL);
}

SUITE(alias, CASE(set_get_and_set_anew))
