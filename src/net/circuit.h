/* A circuit breaker: whoever fails all the time is left alone for a while, then tried with one
 * request, then trusted again.
 *
 *      closed ─ `failures` in a row within `window_ms` ─> open ─ `pause_ms` ─> trying, one request
 *        ^                                                 ^                      │        │
 *        └───────────────────── it was good ───────────────┼──────────────────────┘        │
 *                                                          └───────── it was bad ──────────┘
 *
 * Pure: told the time. One thread. */
#ifndef LINNET_NET_CIRCUIT_H
#define LINNET_NET_CIRCUIT_H

#include <stdbool.h>
#include <stdint.h>

struct circuit_config {
        uint32_t failures;              /* 0: it never opens */
        uint32_t window_ms;
        uint32_t pause_ms;
};

enum circuit_state { CIRCUIT_CLOSED, CIRCUIT_OPEN, CIRCUIT_TRYING };
enum circuit_pass { CIRCUIT_REFUSES, CIRCUIT_PASSES, CIRCUIT_TRIES };
enum circuit_change { CIRCUIT_SAME, CIRCUIT_OPENED, CIRCUIT_SHUT };

struct circuit {
        enum circuit_state state;
        uint32_t           failed;      /* in a row */
        uint64_t           first_ms;    /* of these */
        uint64_t           until_ms;    /* open: nobody passes before */
};

/* May a request be made? Whoever is told CIRCUIT_TRIES is the one that is tried with, and owes its
 * outcome; all others owe theirs, too. */
enum circuit_pass circuit_ask(struct circuit *circuit, uint64_t now_ms);

/* How the request ended that had `pass`. What began before the circuit opened does not close it. */
enum circuit_change circuit_tell(struct circuit *circuit, const struct circuit_config *config,
                                 enum circuit_pass pass, bool good, uint64_t now_ms);

/* It was given up: nobody knows. The next one is tried with instead. */
void circuit_forget(struct circuit *circuit, enum circuit_pass pass);

#endif
