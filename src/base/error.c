/* The words of the errors. */
#include "base/error.h"

#include <assert.h>

const char *error_text(enum error error)
{
        static const char *const text[ERROR_COUNT] = {
#define X(name, words) [name] = words,
                ERRORS(X)
#undef X
        };

        assert((unsigned)error < ERROR_COUNT);
        return text[error];
}
