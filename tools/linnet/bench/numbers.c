#include "numbers.h"

#include <string.h>

#include "base/memory.h"

enum { WORD = 64, WORDS_FIRST = 16 };

static bool grow(struct numbers *numbers, size_t wanted)
{
        size_t    size = numbers->size > 0 ? numbers->size : WORDS_FIRST;
        uint64_t *words;

        while (size < wanted)
                size *= 2;
        words = mem_realloc_array(numbers->words, size, sizeof(*words));
        if (words == NULL)
                return false;
        memset(words + numbers->size, 0, (size - numbers->size) * sizeof(*words));
        numbers->words = words;
        numbers->size  = size;
        return true;
}

bool numbers_add(struct numbers *numbers, uint32_t number)
{
        size_t   at  = number / WORD;
        uint64_t bit = (uint64_t)1 << number % WORD;

        if (at >= numbers->size && !grow(numbers, at + 1))
                return true;
        if ((numbers->words[at] & bit) != 0)
                return false;
        numbers->words[at] |= bit;
        return true;
}

void numbers_deinit(struct numbers *numbers)
{
        mem_free(numbers->words);
        *numbers = (struct numbers){ 0 };
}
