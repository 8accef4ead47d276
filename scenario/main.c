/* scenario FILE.mqs...: plays each with one, two and four shards that keep what they acknowledge,
 * and with two that keep nothing. */
#include <stdio.h>

#include "base/log.h"
#include "player.h"

static void silent(void *context, enum log_level level, struct str line)
{
        (void)context;
        (void)level;
        (void)line;
}

int main(int argc, char **argv)
{
        static const struct {
                unsigned        shards;
                enum durability durability;
        } plays[] = { { 1, DURABILITY_STRICT }, { 2, DURABILITY_STRICT },
                      { 4, DURABILITY_STRICT }, { 2, DURABILITY_MEMORY } };
        unsigned              passed = 0, failed = 0;

        setvbuf(stdout, NULL, _IOLBF, 0);
        log_set_sink(silent, NULL);
        for (int i = 1; i < argc; i++) {
                for (unsigned p = 0; p < sizeof plays / sizeof plays[0]; p++) {
                        if (play(argv[i], plays[p].shards, plays[p].durability))
                                passed++;
                        else
                                failed++;
                }
        }
        printf("%u passed, %u failed\n", passed, failed);
        return failed == 0 ? 0 : 1;
}
