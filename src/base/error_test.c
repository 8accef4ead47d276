#include "base/error.h"
#include "unit.h"

#include <string.h>

TEST(every_error_has_words_of_its_own)
{
        for (unsigned a = 0; a < ERROR_COUNT; a++) {
                EXPECT(error_text(a) != NULL && error_text(a)[0] != '\0', "%u", a);
                for (unsigned b = 0; b < a; b++)
                        EXPECT(strcmp(error_text(a), error_text(b)) != 0, "%u and %u", a, b);
        }
        EXPECT(strcmp(error_text(ERR_NO_MEMORY), "out of memory") == 0);
        EXPECT_EQ(ERR_NONE, 0);
}

SUITE(error, CASE(every_error_has_words_of_its_own))
