/* A request to the control socket: its words lie within the line, one behind the other, are bounded
 * in number, and are read as the same when they are written again. */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "services/admin/words.h"

enum { SIZE_MAX_HERE = 4096 };

static void check_written(const struct words *words)
{
        struct buffer line = { 0 };
        struct words  again;

        for (unsigned i = 0; i < words->count; i++)
                assert(words_write(&line, words->at[i]));
        assert(line.len == 0 || memchr(line.bytes, '\n', line.len) == NULL);
        assert(words_read(line.bytes, line.len, &again) == NULL && again.count == words->count);
        for (unsigned i = 0; i < words->count; i++)
                assert(str_eq(again.at[i], words->at[i]));
        buffer_deinit(&line);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        static char  line[SIZE_MAX_HERE];
        const char  *end = line;
        struct words words;

        if (size > sizeof line)
                return -1;
        memcpy(line, data, size);
        if (words_read(line, size, &words) != NULL)
                return 0;
        assert(words.count <= WORDS_MAX);
        for (unsigned i = 0; i < words.count; i++) {
                assert(words.at[i].ptr >= end && words.at[i].ptr + words.at[i].len <= line + size);
                end = words.at[i].ptr + words.at[i].len;
        }
        check_written(&words);
        return 0;
}
