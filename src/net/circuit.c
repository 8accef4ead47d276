#include "net/circuit.h"

#include <assert.h>

enum circuit_pass circuit_ask(struct circuit *circuit, uint64_t now_ms)
{
        if (circuit->state == CIRCUIT_CLOSED)
                return CIRCUIT_PASSES;
        if (circuit->state == CIRCUIT_TRYING || now_ms < circuit->until_ms)
                return CIRCUIT_REFUSES;
        circuit->state = CIRCUIT_TRYING;
        return CIRCUIT_TRIES;
}

static void count_failure(struct circuit *circuit, const struct circuit_config *config,
                          uint64_t now_ms)
{
        if (circuit->failed == 0 || now_ms - circuit->first_ms > config->window_ms) {
                circuit->failed   = 0;
                circuit->first_ms = now_ms;
        }
        circuit->failed++;
}

enum circuit_change circuit_tell(struct circuit *circuit, const struct circuit_config *config,
                                 enum circuit_pass pass, bool good, uint64_t now_ms)
{
        assert(pass != CIRCUIT_REFUSES);
        if (pass == CIRCUIT_TRIES) {
                assert(circuit->state == CIRCUIT_TRYING);
                *circuit = (struct circuit){ .state    = good ? CIRCUIT_CLOSED : CIRCUIT_OPEN,
                                             .until_ms = now_ms + config->pause_ms };
                return good ? CIRCUIT_SHUT : CIRCUIT_SAME;
        }
        if (circuit->state != CIRCUIT_CLOSED)
                return CIRCUIT_SAME;
        if (good) {
                circuit->failed = 0;
                return CIRCUIT_SAME;
        }
        count_failure(circuit, config, now_ms);
        if (config->failures == 0 || circuit->failed < config->failures)
                return CIRCUIT_SAME;
        *circuit = (struct circuit){ .state    = CIRCUIT_OPEN,
                                     .until_ms = now_ms + config->pause_ms };
        return CIRCUIT_OPENED;
}

void circuit_forget(struct circuit *circuit, enum circuit_pass pass)
{
        if (pass == CIRCUIT_TRIES)
                circuit->state = CIRCUIT_OPEN;  /* its pause is over */
}
