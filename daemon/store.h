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

#include "protocol.h"
#include "record.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>
#include <sys/types.h>

#define STORE_NO_LIMIT UINT64_MAX

struct events;
struct store;
struct store_condition;
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
    uint64_t garbage; /* blobs that no object has and no upload, and that are not free yet */
    uint64_t garbage_bytes;
    uint64_t map_size;          /* bytes of address space that a reader should map */
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

/* What the last -EDQUOT was about. */
struct store_refusal {
    const char *what; /* "size", "objects" */
    uint64_t limit;
    uint32_t id;                      /* of the bucket whose limit it is; 0: the store's */
    char bucket[BUCKET_NAME_MAX + 1]; /* its name, or "" */
};
const struct store_refusal *store_refusal(const struct store *store);

/*
 * Buckets, by name, which may be any bytes: no other than an allowed one is ever found. Changes
 * answer -EAGAIN, -EBUSY and -ENOSPC as those of objects do.
 */
struct store_bucket_name {
    const char *text;
    size_t length;
};

struct store_bucket {
    uint32_t id;
    struct bucket_settings settings;
    bool is_ephemeral;
    uint64_t used;
    uint64_t objects;
    size_t name_length;
    char name[BUCKET_NAME_MAX];
};

/* -ENOENT: there is no bucket of that name. */
int store_bucket_find(struct store *store, const struct store_bucket_name *name, uint32_t *ret_id);

/* What there is to know of it. -ENOENT. */
int store_bucket_info(struct store *store, const struct store_bucket_name *name,
                      struct store_bucket *ret_bucket);

/* The first one whose name is greater, byte by byte. -ENOENT: that was the last. */
int store_bucket_next(struct store *store, const struct store_bucket_name *after,
                      struct store_bucket *ret_bucket);

/* Makes one; its name is an allowed one. It ends with the owner (store_bury); 0: with none.
 * -EEXIST; -EUSERS: there are as many as there can be. */
int store_bucket_create(struct store *store, const struct store_bucket_name *name,
                        const struct bucket_settings *settings, uint32_t owner);

/* It does not end with its owner any more. -ENOENT; -EPERM: it is not that owner's. */
int store_bucket_keep(struct store *store, const struct store_bucket_name *name, uint32_t owner);

/* Sets some of the settings (BUCKET_SET_). -ENOENT. */
int store_bucket_set(struct store *store, const struct store_bucket_name *name, unsigned which,
                     const struct bucket_settings *settings);

/*
 * Removes one: from the same moment on it is gone for everybody, its quota is free, and so is its
 * name. What is left is to remove the rows of its objects (store_clear_dropped).
 * -ENOENT; -EPERM: the default bucket stays.
 */
int store_bucket_drop(struct store *store, const struct store_bucket_name *name);

/* Removes rows of dropped buckets, a bounded number in one call. Returns how many, 0 if none are
 * left; errors as for a change. */
int store_clear_dropped(struct store *store);
bool store_has_dropped(const struct store *store);

/* The lifetime of objects that are put into it without one, milliseconds; 0: none. */
int64_t store_bucket_ttl(struct store *store, uint32_t id);

/* Whether a commit since the last call dropped buckets or set some. */
bool store_buckets_moved(struct store *store);

/* -ENXIO: there is no such bucket. */
int store_check_bucket(struct store *store, uint32_t id);

/*
 * Finds an object. One whose lifetime is over is not there, here and in all calls below, from the
 * moment on; for a group all is of the moment at which it began. ret_value (may be NULL) gets the
 * place of its value. -ENOENT: no such object; -ENXIO: no such bucket.
 */
int store_get(struct store *store, const struct store_key *key, struct record *ret_record,
              const uint8_t **ret_value);

/*
 * A change may depend on a condition (condition.h; NULL: none) about the object that is there. It
 * is decided in the transaction of the change, before limits; one that fails costs nothing, and its
 * errors are the call's.
 */

/* How an object is put, besides what it is. */
struct store_terms {
    int64_t ttl; /* its lifetime, milliseconds, 1 to TTL_MAX; 0: the bucket's; TTL_NEVER: no end */
    uint32_t owner; /* it ends with that one (store_bury); 0: with none */
    struct store_condition *condition;
};

/*
 * Stores a value of attributes->size bytes with the content type and metadata of `attributes`.
 * `value` may be memory that somebody else changes meanwhile: it is read once.
 * -EDQUOT: over max size; -ENOSPC: no memory; -EFAULT: the value cannot be read; -ENXIO: no such
 * bucket; -EAGAIN.
 */
int store_put(struct store *store, const struct store_key *key, const struct record *attributes,
              const struct store_terms *terms, const void *value, struct record *ret_record);

/*
 * Adds to the number that the value is, and gives the sum; what a number is: protocol.h. No object
 * is 0, and is made. -EINVAL: the value is none; -EOVERFLOW: the sum would be none; others as of
 * store_put.
 */
int store_add(struct store *store, const struct store_key *key, int64_t delta,
              struct store_condition *condition, int64_t *ret_value, struct record *ret_record);

/*
 * A large value that comes piece by piece: memory is taken for it first, then it is filled, and in
 * the end it becomes an object. Many of them can be under way. A store that is closed, or ends
 * otherwise, with uploads under way collects what they had when it is open again.
 */
struct store_upload {
    uint64_t blob; /* 0: none */
    uint64_t size;
    bool settled; /* what it began with is committed */
    int error;    /* why what it began with was dropped, or 0 */
    TAILQ_ENTRY(store_upload) entry;
};

/*
 * Begins an upload for that key. Condition and quota are looked at, so that what does not hold or
 * fit now is refused early. The struct must stay where it is until the upload is finished or
 * cancelled. Returns 1 if it takes a lot of memory, of which a part was taken: call it again, when
 * others had their turn. Errors as of store_put; the upload need not be cancelled then.
 */
int store_upload_begin(struct store *store, const struct store_key *key, uint64_t size,
                       struct store_condition *condition, struct store_upload *upload);

/* Whether the transaction in which it began has ended. The upload goes on after that. */
bool store_upload_is_settled(const struct store_upload *upload);

/* Where the bytes of the value belong: until the next change. Fails if the transaction in which the
 * upload began did. */
int store_upload_place(struct store *store, const struct store_upload *upload, uint8_t **ret_place);

/*
 * Makes the value, with the content type, metadata and etag of `attributes`, an object. Condition
 * and quota are decided here, and its lifetime begins. It ends the upload; after an error that goes
 * on: call it again, or cancel it. Errors as of store_put.
 */
int store_upload_finish(struct store *store, struct store_upload *upload,
                        const struct store_key *key, const struct record *attributes,
                        const struct store_terms *terms, struct record *ret_record);

/* Gives it up: its memory is collected (store_collect). Fine after the end. */
void store_upload_cancel(struct store *store, struct store_upload *upload);

/* -ENOENT, -ENXIO, -ENOSPC, -EAGAIN. */
int store_delete(struct store *store, const struct store_key *key,
                 struct store_condition *condition);

/* Sets an object's end anew, ttl from now; version and time of change stay. Errors as of
 * store_delete. */
int store_touch(struct store *store, const struct store_key *key, int64_t ttl,
                struct store_condition *condition, struct record *ret_record);

/* The target gets the source's value, attributes and end, and a move takes the source away. They
 * may be in two buckets. The condition is about the target. -ENOENT, -EDQUOT, -ENOSPC, -ENXIO,
 * -EAGAIN.
 */
int store_copy(struct store *store, const struct store_key *source, const struct store_key *target,
               struct store_condition *condition, struct record *ret_record);
int store_move(struct store *store, const struct store_key *source, const struct store_key *target,
               struct store_condition *condition, struct record *ret_record);

/*
 * Takes objects away whose lifetime is over, a bounded number in one call. Returns how many, 0 if
 * none is left; errors as for a change.
 */
int store_expire(struct store *store);

/* Nothing is to be taken away before that time (boottime.h); INT64_MAX: nothing ever. */
int64_t store_next_expiry(const struct store *store);

/*
 * Takes away what ends with that owner: a bounded number in one call. Returns how many; 0: there is
 * nothing left. Errors as of store_delete.
 */
int store_bury(struct store *store, uint32_t owner);

/* How many objects an owner has, each bucket as EPHEMERAL_BUCKET, counted up to about `most`;
 * negative errno. */
int64_t store_count_owned(struct store *store, uint32_t owner, int64_t most);

/* The first owner from that number on that has something. Returns 1, or 0 if there is none. */
int store_next_owner(struct store *store, uint32_t from, uint32_t *ret_owner);

/*
 * A group of changes: all of them happen, or none. Limits are checked for the whole, at its end:
 * room that a later change frees counts for an earlier one. It needs a transaction of its own, and
 * memory for all of it is claimed when it begins; no change in it answers -EAGAIN or -EBUSY. After
 * any failure it must be aborted.
 */
struct store_group {
    uint64_t changes;   /* that it may have at most: puts and deletes */
    uint64_t puts;      /* of these; with none, memory kept back from puts may be used */
    uint64_t evictions; /* that it may make besides */
    uint64_t lifetimes; /* of these, of objects that end, at most */
    uint64_t bytes;     /* of keys, attributes and values of the puts, at most */
};

/* -EAGAIN, -EBUSY, -ENOSPC; -EINPROGRESS: it takes a lot of memory, of which a part was taken: call
 * it again, when others had their turn. */
int store_group_begin(struct store *store, const struct store_group *group);

/* Leaves the changes to the next commit. -EDQUOT: over max size, and not only as before;
 * -EINPROGRESS: more has to be evicted than it may. */
int store_group_end(struct store *store);

/* Nothing of it happened. Fails only if the store can't go on. */
int store_group_abort(struct store *store);

/* After -EINPROGRESS from store_group_end and an abort: makes a part of the room that was missing.
 * Errors as of a change; -EINPROGRESS. */
int store_group_make_room(struct store *store);

/* An object was read: it is not what was used least recently. */
void store_use(struct store *store, const struct store_key *key);

/* How many marks of uses there are (marks.h); 0: none. */
uint64_t store_marks(const struct store *store);

/* The newest version. */
uint64_t store_version(const struct store *store);

/* Whether a bucket evicts where it is full. */
bool store_evicts(struct store *store, uint32_t bucket);

/* Memory is short: evicts what was used least recently in a bucket, up to about so many bytes; less
 * where it asks for a commit first. Returns how many, 0 if there is nothing. Errors as of a change.
 */
int64_t store_evict(struct store *store, uint32_t bucket, uint64_t size);

/* How the store learns which blobs are viewed in place: ids, as for store_collect, that end with
 * free(). */
struct store_pins {
    int (*read)(void *context, uint64_t **ret_ids, size_t *ret_count);
    void *context;
};
void store_set_pins(struct store *store, const struct store_pins *pins);

/*
 * Starts an empty store afresh, if it is worth it: its file has grown, and is full of free pages in
 * pieces, too small for a large value. The memory goes back. Readers of the old file must be told
 * to leave it. Returns 1 if it was done, 0 if there is nothing to do (objects, garbage, scans or
 * changes are there, or the file is small), or a negative errno: the store can't go on.
 */
int store_renew(struct store *store);

/* Takes a version for something that is no change of an object. Errors as of a change. */
int store_take_version(struct store *store, uint64_t *ret_version);

/*
 * Makes all changes since the last commit last. On failure none of them happened, and a failure
 * in the middle of a change is reported here as well. -ENOSPC can be lived with; -EUCLEAN and
 * others mean that the store can't go on.
 */
int store_commit(struct store *store);

/* What changed: with store_commit the events are committed. The caller clears them. */
struct events *store_events(struct store *store);

/*
 * Takes memory from tmpfs ahead of need, a little at a time. Returns 1 if more is wanted, 0 if
 * there is enough, or none to be had. For moments when there is nothing else to do.
 */
int store_reserve_ahead(struct store *store);

/*
 * From then on, blobs of at least so many bytes that no object has any more are freed only by
 * store_collect: all of them (0) while other processes may read the store in place, or large ones,
 * so that who deletes them need not wait for it. At first there are none.
 */
void store_defer_frees(struct store *store, uint64_t from);

/* The snapshot of the oldest open read transaction of any process; UINT64_MAX: there is none. */
uint64_t store_oldest_reader(struct store *store);

/*
 * Frees blobs that no object has, in the running transaction: those that no snapshot from `oldest`
 * on leads to and that are not among the pinned ones (count ids, which are sorted here). A
 * bounded number in one call. The order matters: first find the oldest reader, then read the pins.
 * Returns how many were freed; -EAGAIN and -EBUSY as for a change.
 */
int store_collect(struct store *store, uint64_t oldest, uint64_t *pinned, size_t count);

/* Whether the next call goes on where the last one stopped; otherwise it begins anew. */
bool store_collects_on(const struct store *store);

/* Frees large blobs that are kept for the next values, a bounded number in one call. Returns how
 * many; errors as for a change. */
int store_free_spares(struct store *store);

/* A change of nothing: what a transaction frees can be used by the next but one. */
int store_settle(struct store *store);

/* Visits the open read transactions of all processes: process id and snapshot. */
void store_readers(struct store *store, void (*visit)(void *context, pid_t pid, uint64_t txn),
                   void *context);

/* Gives back the reader slots of processes that are gone. */
void store_check_readers(struct store *store);

/* Blobs that wait to be freed, and their bytes. */
uint64_t store_garbage(const struct store *store);
uint64_t store_garbage_bytes(const struct store *store);

/* The number of the newest committed transaction. */
uint64_t store_last_commit(struct store *store);

/* The order of blob ids, for qsort. */
int store_compare_blobs(const void *a, const void *b);

/* -ENOENT: there is no such blob. */
int store_blob_size(struct store *store, uint64_t id, uint64_t *ret_size);

/*
 * Walks over the objects of a bucket in the order of their keys: a snapshot of the last commit.
 * Keys start with the prefix and are greater than `after`, if that is not NULL. Scans must end
 * before the store is closed, and soon: while one runs, no memory is used again.
 */
int store_scan_open(struct store *store, const struct store_key *prefix,
                    const struct store_key *after, struct store_scan **ret_scan);
/* Returns 1 and the next object's key and record, 2 instead of one whose lifetime was over when the
 * scan was opened, 0 at the end. They live until the next call. */
int store_scan_next(struct store_scan *scan, const uint8_t **ret_key, size_t *ret_length,
                    struct record *ret_record);
void store_scan_close(struct store_scan *scan);
/* How many scans are open. A change that answers -EBUSY needs them closed first. */
size_t store_scans(const struct store *store);

#endif
