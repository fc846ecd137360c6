#include "bench/exact_lru.h"

#include "bench/run.h"

#include <stdlib.h>

/* The order is a ring: behind the last key stands its head. */
static uint32_t head_of(const struct exact_lru *lru)
{
    return lru->keys;
}

void exact_lru_init(struct exact_lru *lru, uint32_t keys, uint32_t max)
{
    const uint64_t places = (uint64_t)keys + 1;

    *lru = (struct exact_lru){.newer = run_allocate(places * sizeof(uint32_t)),
                              .older = run_allocate(places * sizeof(uint32_t)),
                              .is_in = run_allocate(keys * sizeof(bool)),
                              .keys = keys,
                              .max = max};
    lru->newer[keys] = lru->older[keys] = keys;
}

void exact_lru_finish(struct exact_lru *lru)
{
    free(lru->newer);
    free(lru->older);
    free(lru->is_in);
}

static void take_out(struct exact_lru *lru, uint32_t key)
{
    lru->older[lru->newer[key]] = lru->older[key];
    lru->newer[lru->older[key]] = lru->newer[key];
}

static void put_first(struct exact_lru *lru, uint32_t key)
{
    const uint32_t head = head_of(lru);

    lru->newer[key] = head;
    lru->older[key] = lru->older[head];
    lru->newer[lru->older[head]] = key;
    lru->older[head] = key;
}

static void evict(struct exact_lru *lru)
{
    uint32_t last = lru->newer[head_of(lru)];

    take_out(lru, last);
    lru->is_in[last] = false;
    lru->count--;
}

bool exact_lru_use(struct exact_lru *lru, uint32_t key)
{
    bool was_in = lru->is_in[key];

    if (was_in)
        take_out(lru, key);
    else if (lru->count == lru->max)
        evict(lru);
    if (!was_in)
        lru->count++;
    lru->is_in[key] = true;
    put_first(lru, key);
    return was_in;
}
