/* Keys and values that all contestants are given alike. */
#ifndef BENCH_KEYS_H
#define BENCH_KEYS_H

#include <stddef.h>
#include <stdint.h>

#define KEY_BYTES 16
#define KIB (1U << 10)
#define MIB (1U << 20)
#define SMALL 128U           /* bytes of the objects that a store is filled with */
#define READ_MAX (16U * MIB) /* bytes of the largest value that is read */
#define LARGEST (64U * MIB)  /* bytes of the largest value */

struct key {
    char bytes[KEY_BYTES];
};

/* Keys in the order in which they are used, again and again. */
struct keys {
    struct key *list;
    size_t count;
};

/* A set of objects: those with the numbers from .. to - 1. */
struct objects {
    char set;
    uint32_t size;
    uint64_t from, to;
};

#define SET_SMALL 'o' /* the small objects that a store is filled with */

/* The key of one of them. Neighbours by number are not neighbours by key. */
struct key key_of_object(char set, uint64_t number);

/* The key of one of up to 100 objects that are put at once; this one stands for them all. */
struct key key_in_batch(const struct key *key, unsigned index);

/* Another key, the target of copies and moves. Its own twin is the first one again. */
struct key key_twin(const struct key *key);

/* Keys of `objects` small objects, at random, as many as it takes to touch most of a large store.
 * Give them back with keys_finish, as all others. */
struct keys keys_of_objects(uint64_t objects);

/* Keys of a set of objects of one size: many small ones, few large ones. `set` tells sets of one
 * size apart. */
struct keys keys_of_size(char set, uint32_t size);

/* Keys of a set of `objects` objects, some of them far more often than others: by the Zipf
 * distribution with the exponent 0.99, and the often used ones here and there. */
struct keys keys_zipfian(char set, uint64_t objects);

void keys_finish(struct keys *keys);

/* The next number of a sequence that is the same in every run; the state is not to be 0. */
uint64_t keys_random(uint64_t *state);

/* LARGEST bytes to store parts of. */
const char *keys_value(void);

#endif
