/*
 * Contestants take turns: in every round each is given a slice of time, in another order each time,
 * so that whatever else the machine does, and whatever one leaves behind for the next, meets all of
 * them alike.
 */
#ifndef BENCH_RACE_H
#define BENCH_RACE_H

#include "bench/results.h"

#define ENTRIES_MAX 256

struct entry {
    struct result *result;
    operation *before, *call, *after;
    void *connection;
    const struct keys *keys;
    size_t next;    /* key */
    uint64_t chunk; /* calls that are timed together */
};

struct race {
    void *connections[SUBJECT_COUNT];
    struct entry entries[ENTRIES_MAX];
    size_t count;
};

/* Opens a connection to each subject that is present. */
void race_open(struct race *race, bool writes);
void race_close(struct race *race);

/* Lets all that have the row's call take part in it, or that one alone, if it has it. */
void race_add(struct race *race, const struct row *row, const struct keys *keys);
void race_add_one(struct race *race, const struct row *row, const struct keys *keys, int subject);

/* Lets it take part with a connection of its own. */
void race_add_connection(struct race *race, const struct row *row, const struct keys *keys,
                         int subject, void *connection);

/* Stores a set of objects with each of them, or with that one alone. */
void race_store(struct race *race, const struct keys *keys, uint32_t size);
void race_store_one(struct race *race, const struct keys *keys, uint32_t size, int subject);

/* Times their calls, many at a time. */
void race_run(struct race *race);

/* Gives each of them its slice, in every round. */
void race_rounds(struct race *race, void (*run)(struct entry *entry));

/* One call; returns its nanoseconds. */
int64_t race_call(struct entry *entry);

#endif
