/*
 * The store's LMDB environment, as this process reads it. Besides the daemon's store, this is the
 * only place that knows LMDB.
 *
 * LMDB allows one environment for a store in a process, so handles share it, by counting. Reads of
 * any number of threads go on at once, each in a read transaction of its own.
 */
#ifndef MEMSTORE_ENVIRONMENT_H
#define MEMSTORE_ENVIRONMENT_H

#include "common/bucket.h"
#include "common/record.h"

#include <stddef.h>
#include <stdint.h>

struct environment;

/* A read transaction: what it finds is of one moment, and lives until it is ended. It can be begun
 * again any number of times. */
struct reading {
    struct environment *environment;
    void *txn;
};

/* Opens the environment in a folder, or counts one more user of it. Negative errno; whatever it is,
 * the daemon can be asked instead. */
int environment_open(int folder, uint64_t map_size, struct environment **ret_environment);

/* One user less; closed with the last one. */
void environment_close(struct environment *environment);

/* Around a fork, so that no other thread has the table of environments in the child. */
void environment_lock(void);
void environment_unlock(void);

/* Makes a read transaction and begins it. */
int reading_create(struct environment *environment, struct reading *ret_reading);
/* Begins one that was ended. */
int reading_begin(struct reading *reading);
void reading_end(struct reading *reading);
void reading_destroy(struct reading *reading);

/* Finds an object. -ENOENT: there is none, or its lifetime is over; other errors: ask the daemon.
 */
int reading_find(struct reading *reading, uint32_t bucket, const void *key, size_t key_length,
                 struct record *ret_record);

/* Finds the row of a bucket. -ENOENT: it was dropped; other errors: ask the daemon. */
int reading_bucket(struct reading *reading, uint32_t bucket, struct bucket *ret_bucket);

/* Finds its value. */
int reading_value(struct reading *reading, const struct record *record, const uint8_t **ret_value);

/* Visits the objects whose keys start with the prefix and are greater than `after` (NULL: all), in
 * order, until visit returns something else than 0. Returns that, or 0 at the end, or an error. */
int reading_scan(struct reading *reading, uint32_t bucket, const void *prefix, size_t prefix_length,
                 const void *after, size_t after_length,
                 int (*visit)(void *context, const void *key, size_t key_length,
                              const struct record *record),
                 void *context);

#endif
