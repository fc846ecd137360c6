/*
 * Turns: one thread at a time, in the order of asking, and nobody waits beyond a deadline. The
 * order matters: with a plain lock, a thread that calls in a loop has it again before one that was
 * woken could run, and the others starve until their deadlines.
 */
#ifndef MEMSTORE_TURNS_H
#define MEMSTORE_TURNS_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

struct turn; /* a thread that waits, on its own stack */

struct turns {
    pthread_mutex_t mutex;
    bool taken;
    struct turn *first; /* of those who wait */
};

void turns_init(struct turns *turns);
void turns_finish(struct turns *turns);

/* Waits for the caller's turn. -ETIMEDOUT: it did not come by the deadline. */
int turns_take(struct turns *turns, int64_t deadline);

/* Ends the caller's turn. */
void turns_pass(struct turns *turns);

#endif
