/*
 * The store: all objects of all buckets in one LMDB environment, and the limits.
 *
 * Changes gather in one transaction until store_commit; nothing is promised before that. A change
 * either happens whole or not at all. A change may answer -EAGAIN: then the changes so far must
 * be committed first, and the same change asked for again.
 *
 * Pointers in a record that a call returns live until the next change or commit.
 */
#ifndef MEMSTORED_STORE_H
#define MEMSTORED_STORE_H

#include "record.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define STORE_ID_BYTES 16
#define STORE_NO_LIMIT UINT64_MAX

struct store;
struct store_scan;

struct store_limits {
    uint64_t max_size;   /* bytes of all values together, or STORE_NO_LIMIT */
    uint64_t max_memory; /* bytes of tmpfs that the environment may occupy */
};

struct store_key {
    uint32_t bucket;
    const void *data;
    size_t length; /* at most KEY_MAX */
};

struct store_status {
    uint64_t used; /* bytes of all values */
    uint64_t objects;
    uint64_t version; /* of the newest change */
    uint64_t buckets;
    uint64_t memory; /* bytes of tmpfs that are occupied */
    uint64_t commits;
    uint8_t id[STORE_ID_BYTES]; /* names this store */
};

/*
 * Opens the store in an existing folder that no other process writes to, or makes one there.
 * -EUCLEAN: what is there is damaged, or of another version; -ENOSPC: no room for an empty one.
 */
int store_open(const char *folder, const struct store_limits *limits, struct store **ret_store);

/* Drops changes that are not committed. The files stay. NULL is fine. */
void store_close(struct store *store);

const struct store_limits *store_limits(const struct store *store);
void store_status(struct store *store, struct store_status *ret_status);

/* -ENOENT: there is no bucket of that name. */
int store_bucket(struct store *store, const char *name, size_t length, uint32_t *ret_id);

/*
 * Finds an object. ret_value (may be NULL) gets the place of its value.
 * -ENOENT: no such object; -ENXIO: no such bucket.
 */
int store_get(struct store *store, const struct store_key *key, struct record *ret_record,
              const uint8_t **ret_value);

/*
 * Stores a value of attributes->size bytes with the content type and metadata of `attributes`.
 * `value` may be memory that somebody else changes meanwhile: it is read once.
 * -EDQUOT: over max size; -ENOSPC: no memory; -ENXIO: no such bucket; -EAGAIN.
 */
int store_put(struct store *store, const struct store_key *key, const struct record *attributes,
              const void *value, struct record *ret_record);

/* -ENOENT, -ENXIO, -ENOSPC, -EAGAIN. */
int store_delete(struct store *store, const struct store_key *key);

/* The target gets the source's value and attributes, and a move takes the source away. Both keys
 * are of one bucket. -ENOENT, -EDQUOT (copy), -ENOSPC, -ENXIO, -EAGAIN. */
int store_copy(struct store *store, const struct store_key *source, const struct store_key *target,
               struct record *ret_record);
int store_move(struct store *store, const struct store_key *source, const struct store_key *target,
               struct record *ret_record);

/*
 * Makes all changes since the last commit last. On failure none of them happened, and a failure
 * in the middle of a change is reported here as well. -ENOSPC can be lived with; -EUCLEAN and
 * others mean that the store can't go on.
 */
int store_commit(struct store *store);

/*
 * Takes memory from tmpfs ahead of need, a little at a time. Returns 1 if more is wanted, 0 if
 * there is enough, or none to be had. For moments when there is nothing else to do.
 */
int store_reserve_ahead(struct store *store);

/*
 * Walks over the objects of a bucket in the order of their keys: a snapshot of the last commit.
 * Keys start with the prefix and are greater than `after`, if that is not NULL. Scans must end
 * before the store is closed, and soon: while one runs, no memory is used again.
 */
int store_scan_open(struct store *store, const struct store_key *prefix,
                    const struct store_key *after, struct store_scan **ret_scan);
/* Returns 1 and the next object's key and record, 0 at the end. They live until the next call. */
int store_scan_next(struct store_scan *scan, const uint8_t **ret_key, size_t *ret_length,
                    struct record *ret_record);
void store_scan_close(struct store_scan *scan);
/* How many scans are open. A change that answers -EBUSY needs them closed first. */
size_t store_scans(const struct store *store);

#endif
