/* scenario FILE.mqs...: plays each with one, two and four shards. */
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
        static const unsigned shards[] = { 1, 2, 4 };
        unsigned              passed = 0, failed = 0;

        setvbuf(stdout, NULL, _IOLBF, 0);
        log_set_sink(silent, NULL);
        for (int i = 1; i < argc; i++) {
                for (unsigned s = 0; s < 3; s++) {
                        if (play(argv[i], shards[s]))
                                passed++;
                        else
                                failed++;
                }
        }
        printf("%u passed, %u failed\n", passed, failed);
        return failed == 0 ? 0 : 1;
}
