#include "sequence.h"

enum { RECENT = 64 };

static enum sequence_verdict take_ahead(struct sequence *s, uint32_t skipped)
{
        s->recent = skipped + 1 < RECENT ? s->recent << (skipped + 1) | 1 : 1;
        s->next += skipped + 1;
        s->missing += skipped;
        return skipped == 0 ? SEQUENCE_NEXT : SEQUENCE_AHEAD;
}

enum sequence_verdict sequence_take(struct sequence *s, uint32_t number)
{
        uint32_t ahead = number - s->next;
        uint32_t back  = s->next - 1 - number;

        if (ahead < UINT32_MAX / 2)
                return take_ahead(s, ahead);
        if (s->missing == 0 || (back < RECENT && (s->recent >> back & 1) != 0))
                return SEQUENCE_DUPLICATE;
        if (back < RECENT)
                s->recent |= (uint64_t)1 << back;
        s->missing--;
        return SEQUENCE_LATE;
}

void sequence_begin(struct sequence *s, uint32_t number)
{
        *s = (struct sequence){ .next = number };
}
