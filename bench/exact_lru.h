/* A cache that knows exactly what was used last: what others are measured by. */
#ifndef BENCH_EXACT_LRU_H
#define BENCH_EXACT_LRU_H

#include <stdbool.h>
#include <stdint.h>

struct exact_lru {
    uint32_t *newer, *older; /* of each key: its neighbours in the order of uses */
    bool *is_in;
    uint32_t keys, count, max;
};

/* For the keys 0 .. keys - 1, of which it holds `max`. */
void exact_lru_init(struct exact_lru *lru, uint32_t keys, uint32_t max);
void exact_lru_finish(struct exact_lru *lru);

/* Uses a key, which is in then. Returns whether it was before. */
bool exact_lru_use(struct exact_lru *lru, uint32_t key);

#endif
