/* What the files of the store share: store.c (environment, transactions), counters.c, buckets.c,
 * open_bucket.c, quota.c, dropped.c, reserve.c (memory), objects.c (calls on objects), pair.c,
 * add.c, ends.c, expiry.c, owners of objects (owners.c), blob.c, group.c, garbage.c, spares.c,
 * scan.c; and condition.h. No other file includes lmdb.h. */
#ifndef MEMSTORED_STORE_PRIVATE_H
#define MEMSTORED_STORE_PRIVATE_H

#include "events.h"
#include "store.h"

#include "bucket.h"
#include "condition.h"
#include "marks.h"
#include "protocol.h"

#include <assert.h>

#include <lmdb.h>

/* What the store counts: read at start, written with each commit. */
struct totals {
    uint64_t used;
    uint64_t objects;
    uint64_t version;      /* the last one given away */
    uint64_t last_blob;    /* the last blob id given away */
    int64_t last_modified; /* the last time given away: times never stand still or go back */
    uint64_t buckets;
    uint64_t garbage; /* blobs without an object that wait to be freed, and their bytes */
    uint64_t garbage_bytes;
    uint64_t spare_bytes; /* of blobs that are kept for the next values (spares.c) */
    uint64_t dropped;     /* buckets of which rows are left (dropped.c) */
    uint32_t last_bucket; /* the last id given away */
    uint32_t places;      /* of buckets' counters: how many there are, */
    uint32_t free_place;  /* and the first one that is free; 0: none is */
    uint32_t reserved;
};

/* And what it counts for each bucket. */
struct bucket_counters {
    uint64_t used;
    uint64_t objects;
};

/* Where counters stand in the map, as far as it is known (counters.c), and which rows the running
 * transaction has written. */
struct counters_places {
    void *totals;
    void *buckets;
    uint32_t buckets_row;
    uint32_t first_written; /* of buckets; 0: none */
    uint32_t last_written;
};

/* A bucket as it was read, with the changes of the running transaction to its counters. */
struct open_bucket {
    uint32_t id; /* 0: none */
    struct bucket row;
    struct bucket_counters counters;
};

/* So many are kept, each where its id leads. */
#define OPEN_BUCKETS 64

/* What a bucket had before the running group. */
struct group_bucket {
    uint32_t id;
    struct bucket_counters before;
};

/* What a change writes at most, for the memory that it may need. */
struct claim {
    uint64_t rows;  /* of the objects; one that is deleted counts twice */
    uint64_t ends;  /* rows of the index of ends, the same way */
    uint64_t pages; /* of values, and of records that stand alone */
    bool blobs;     /* it changes the tables of blobs too */
    bool frees;     /* it gives memory back, and may use what is kept back from others for that */
};

/* A tree whose pages are claimed by the row, as it was when the running transaction first did. */
struct reserve_tree {
    uint64_t depth;
    uint64_t branches; /* pages of it that are not leaves */
    uint64_t rows;     /* that were claimed */
};

/* How much of the file there is memory for, and how far LMDB may go (reserve.c). All in pages. */
struct reserve {
    uint64_t pages; /* from the start of the file: memory is there */
    uint64_t max;   /* max memory */
    uint64_t map;   /* size of the map while there is no fence */
    uint64_t fence; /* size of the map while no more memory is to be had; 0: no fence */
    bool was_short; /* a transaction was ended because its claims did not fit */
    /* At the start of the running transaction: */
    uint64_t last;   /* pages in the file */
    uint64_t budget; /* free pages inside the file that may be claimed instead; mostly 0 */
    /* What its changes have claimed: */
    struct reserve_tree objects;
    struct reserve_tree ends; /* depth 0: none of it yet */
    uint64_t claimed;         /* pages, besides those for the rows */
};

/* Key of a row of the garbage table; big-endian, so that rows sort by the transaction. */
struct garbage_key {
    uint64_t txn; /* that took the blob out of the index; of a spare: spares.c */
    uint64_t blob;
};
static_assert(sizeof(struct garbage_key) == 16, "garbage_key");

TAILQ_HEAD(upload_queue, store_upload);

/* The file of marks (uses.c). */
struct uses {
    struct marks marks;
    int fd;
    uint64_t version; /* at the last use, */
    uint32_t count;   /* and uses since the change that had it */
};

/* Which object of a bucket goes next (hand.c). */
struct hand;
TAILQ_HEAD(hand_queue, hand);
#define HAND_QUEUES 256

#define SCANS_READY 16 /* read transactions kept for scans */

struct store {
    char *folder;
    MDB_env *env;
    int data_fd; /* LMDB's own */
    size_t page_size;
    struct store_limits limits;

    /* The objects are in the main database, which has no other to be found through. Bucket id,
     * as ROW_BUCKET, and the object's key -> record; and one struct store_head. */
    MDB_dbi objects;
    /* The others are named ones. */
    MDB_dbi blobs;    /* blob id -> value */
    MDB_dbi refs;     /* blob id -> how many objects have it, where that is more than one */
    MDB_dbi buckets;  /* bucket id -> struct bucket */
    MDB_dbi names;    /* name of a bucket -> bucket id */
    MDB_dbi dropped;  /* id of a dropped bucket that has rows -> nothing */
    MDB_dbi counters; /* counters.c */
    MDB_dbi garbage;  /* transaction, blob id -> size of the blob (garbage.c) */
    MDB_dbi ends;     /* end, key of a row of the objects -> nothing (ends.c) */

    MDB_txn *change;    /* the running transaction, or NULL */
    MDB_cursor *cursor; /* of it, in the objects: the last one looked at */
    uint64_t changes;   /* in it */
    int failed;         /* why the last one was dropped, or 0 */
    bool counted;       /* it has written counters */
    bool grouping;      /* it is a group's */
    bool looking;       /* `look` is in use */
    MDB_txn *look;      /* a read transaction, kept to be renewed */
    uint64_t commits;
    struct store_group group; /* what is left of the running one, if `grouping` */
    int64_t group_time;       /* when it began, boottime.h */
    int64_t next_expiry;      /* no object is due before; 0: not known */
    int64_t next_committed;   /* the same without the changes of the running transaction */

    uint64_t defers_from;         /* blobs of so many bytes go to the garbage first */
    struct garbage_key collected; /* the last row looked at; all 0: begin with the first */

    struct store_head head;
    struct totals totals;    /* with the changes of the running transaction */
    struct totals committed; /* without */
    struct open_bucket open[OPEN_BUCKETS];
    uint64_t open_changed;      /* a bit for each whose counters are to be written */
    struct open_bucket *bucket; /* the one at hand */
    struct group_bucket group_buckets[BATCH_COUNT_MAX]; /* that the running group changes */
    size_t group_buckets_count;
    struct store_refusal refusal;
    bool buckets_moving; /* the running transaction drops or sets some */
    bool buckets_moved;  /* a committed one did */
    struct counters_places places;
    struct events events;
    struct uses uses;
    struct hand_queue hands[HAND_QUEUES]; /* by the ends of buckets' ids */
    struct store_pins pins;
    struct group_bucket wanted;  /* what a bucket may have before a group begins anew; id 0: none */
    struct upload_queue uploads; /* under way, the newest last; their blobs' rows are there */
    uint64_t uploads_count;
    uint64_t uploads_bytes;
    size_t scans;
    /* Clients may take all reader slots that are free; those of the daemon it has from the start.
     */
    MDB_txn *scans_ready[SCANS_READY];
    struct reserve reserve;
    uint8_t scratch[RECORD_MAX]; /* one record, while its row moves */
};

/* The key of a row of the objects table. */
struct row_key {
    uint8_t bytes[sizeof(uint32_t) + KEY_MAX];
    MDB_val val; /* those bytes; the struct must not be copied */
};
void row_key_init(struct row_key *row, const struct store_key *key);
void row_key_copy(struct row_key *row, const MDB_val *key);

/* The read transactions that scans use (scan.c). */
int store_scan_init(struct store *store);
void store_scan_finish(struct store *store);

/* The one place where LMDB's codes become ours. */
int store_error(int code);

/* A transaction to read in: the running one, so that changes are seen, or a read-only one. */
int store_reader(struct store *store, MDB_txn **ret_txn);

/* Begins the transaction that a change is likely to need, so that what the change looks up is found
 * where it is written. */
int store_prepare(struct store *store);

/* Ends the running transaction, in which there are no changes yet. */
void store_unprepare(struct store *store);

/*
 * Begins a change, or goes on with the running transaction. It may have to begin that one anew, and
 * then the cursor is NULL. -EAGAIN and -EBUSY as in store.h; -ENOSPC.
 */
int store_begin(struct store *store, const struct claim *claim);

/* A change failed in the middle: drops the running transaction, and no bucket is at hand. Returns
 * `error`. */
int store_drop(struct store *store, int error);

/* open_bucket.c */

/* Makes the bucket the one at hand. -ENXIO: no such bucket. */
int store_open_bucket(struct store *store, uint32_t id);

/* Adds to the counters of the bucket at hand and of the store. */
void store_count(struct store *store, int64_t bytes, int64_t objects);

/* Writes the counters of those that were changed, as part of the running transaction. */
int open_buckets_write(struct store *store);

/* Forgets what is known of one, or of all. */
void open_bucket_forget(struct store *store, uint32_t id);
void open_buckets_forget(struct store *store);

/* buckets.c */

/* Takes the rows of all buckets, for a store that starts afresh; end with free. */
struct kept_bucket;
struct kept_buckets {
    struct kept_bucket *buckets;
    size_t count;
};
int buckets_keep(struct store *store, struct kept_buckets *ret_kept);

/* A change: drops the bucket at hand. */
int bucket_drop(struct store *store);

/* Makes those that were kept in a fresh store, or the default bucket. */
int buckets_make(struct store *store, const struct kept_buckets *kept);

/* dropped.c */

/* Notes that the rows of a bucket's objects are to be removed. */
int dropped_add(struct store *store, uint32_t id);

/* quota.c */

/* May the bucket at hand have a value of the new size for one of the old size, or (adds) one object
 * more? -EDQUOT: not that, or not the store. A group is asked at its end. */
int quota_check(struct store *store, uint64_t old_size, uint64_t new_size, bool adds);

/* The same without the store's limit. */
int quota_check_bucket(struct store *store, uint64_t old_size, uint64_t new_size, bool adds);

/* The running group is about to change the bucket at hand. */
void quota_note(struct store *store);

/* At the end of a group, of the bucket at hand, and of the store. -EDQUOT: it is over its limit,
 * and more than before. */
int quota_check_group_bucket(struct store *store, const struct group_bucket *bucket);
int quota_check_group_total(struct store *store);

/* evict.c */

/* A value that there is to be room for, in the bucket at hand. */
struct evict_put {
    const struct row_key *row; /* its own: what is there stays, with so many bytes */
    uint64_t old_size;
    const struct row_key *source; /* of a copy in the same bucket, which stays as well; or NULL */
    uint64_t source_size;
    uint64_t size;
    bool adds;  /* one object more */
    bool moves; /* from another bucket: the store has it already */
};

/* Whether there is. -EDQUOT. */
int evict_check(struct store *store, const struct evict_put *put);

/* Whether there can be room for it if all others go. */
bool evict_could(const struct store *store, const struct evict_put *put);

/*
 * Makes room, after quota_check has said -EDQUOT. 0: there is room, and rows must be looked up
 * anew; -EDQUOT: the bucket does not evict, or that does not help; -EINPROGRESS: ask again when
 * others had their turn; others as of a change.
 */
int evict_for(struct store *store, const struct evict_put *put);

/* Makes the buckets of the running group fit their limits, at its end. -EINPROGRESS: abort it, and
 * store_group_make_room. */
int evict_for_group(struct store *store);

/* hand.c */

void hands_start(struct store *store);
void hands_finish(struct store *store);

/* The hand of the bucket at hand, for a value that wants room, or (NULL) something else that does.
 * NULL: no memory. */
struct hand *hand_of(struct store *store, const struct evict_put *put);

/* Finds the object that is to go next; it is the same one until hand_pass. -ENOENT: none may go;
 * -EINPROGRESS: it has looked long, and others should have their turn. */
int hand_find(struct store *store, struct hand *hand, struct row_key *ret_row,
              struct record *ret_record);
void hand_pass(struct hand *hand);

/* There is a new object in the bucket at hand. */
void hand_note(struct store *store, const struct row_key *row);

/* uses.c */

int uses_start(struct store *store);
void uses_stop(struct store *store);

/* There is a bucket that evicts: from now on uses are noted, if there is memory for that. What was
 * put longest ago goes first otherwise. */
void uses_begin(struct store *store);

/* When an object was used last, and its mark. */
struct use {
    uint64_t time; /* MARK() */
    _Atomic uint64_t *mark;
};

/* The use that its row tells of; then what the marks say of several. */
void use_init(const struct store *store, const MDB_val *row, const struct record *record,
              struct use *use);
void uses_read(struct store *store, struct use *uses, size_t count);

/* Gives away the next version and time of change. */
void store_stamp(struct store *store, struct record *record);

/* Ends the use of the read-only transaction, whose map may change then. */
void store_stop_looking(struct store *store);

/* Dirties a page, so that there is something to commit. */
int store_dirty(struct store *store);

/* counters.c */

/* Makes the counters of a fresh store, all 0, in the running transaction. */
int counters_make(struct store *store);

int counters_read_totals(struct store *store, MDB_txn *txn);
int counters_read_bucket(struct store *store, MDB_txn *txn, uint32_t place,
                         struct bucket_counters *ret_counters);

/* Writes them, as part of the running transaction. */
int counters_write_totals(struct store *store);
int counters_write_bucket(struct store *store, uint32_t place,
                          const struct bucket_counters *counters);

/* A place for the counters of one bucket more, which are 0 then; and of one less. */
int counters_take_place(struct store *store, uint32_t *ret_place);
int counters_give_place(struct store *store, uint32_t place);

/* Takes back what the running transaction wrote, which is dropped; or what any did that was not
 * committed. */
int counters_forget(struct store *store, MDB_txn *txn);
int counters_forget_all(struct store *store, MDB_txn *txn);

/* The running transaction was committed. */
void counters_settle(struct store *store);

/* Pages that so many bytes take at most when they stand alone. */
uint64_t store_pages_for(const struct store *store, uint64_t size);

/* objects.c */

/* The same for a record, its blob aside. */
uint64_t record_pages(const struct store *store, const struct record *record);

/* Has the cursor of the running transaction. */
int row_cursor(struct store *store);

/* Finds an object's row, be its lifetime over or not. -ENOENT. */
int row_find(struct store *store, struct row_key *row, struct record *ret_record);

/* The same for an object: one whose lifetime is over is none. */
int row_find_object(struct store *store, struct row_key *row, struct record *ret_record);

/* A change: takes an object away, whose row was the last one looked up. On failure in the middle
 * the running transaction is dropped. Errors as of store_delete. */
int row_remove(struct store *store, struct row_key *row, const struct record *record,
               enum event_kind kind);

/* Takes a record, its value included if it is no blob, out of the map, which the next change may
 * rearrange: to the start of the scratch. Returns where that goes on. */
uint8_t *record_keep(struct store *store, struct record *record);

/* The place of an object: its row, and the object that it replaces. */
struct slot {
    struct row_key row;
    struct record old;           /* empty if there is none */
    int existed;                 /* whether there is one */
    const struct record *object; /* that one; NULL: there is none, or its lifetime is over */
};

/* Finds the place of an object, and decides about the condition (NULL: none), whose errors it may
 * give. -ENXIO: no such bucket. */
int slot_find(struct store *store, const struct store_key *key, struct store_condition *condition,
              struct slot *slot);

/* Makes room for a value of that size there (evict_for); the slot is found anew then. -EDQUOT: over
 * a limit. */
int slot_admit(struct store *store, struct slot *slot, uint64_t size);

/* Whether there can be room. -EDQUOT: never, as things are. */
int slot_may_have(struct store *store, const struct slot *slot, uint64_t size);

/* Notes for whoever waits that an object has changed. -ENOMEM. */
int store_note(struct store *store, enum event_kind kind, const struct row_key *row,
               uint64_t version);

/* Puts an object there, whose value is in the record or in a blob, and stamps it. On failure the
 * running transaction is dropped. */
int slot_fill(struct store *store, struct slot *slot, struct record *record);

/* expiry.c */

/* When an object ends that is put now, into the bucket at hand, with that lifetime (store_terms);
 * 0: never. */
int64_t expiry_of(const struct store *store, int64_t ttl);

/* Its place in the index of ends. */
uint64_t end_of_time(int64_t expires);

/* Something that ends then is new in the index. */
void expiry_note(struct store *store, uint64_t end);

/* ends.c */

#define END_BYTES 7

/* Behind all times; added to its number, the end of an owner. */
#define ENDS_OF_OWNERS UINT64_C(0xffffff00000000)

static inline uint64_t end_of_owner(uint32_t owner)
{
    return ENDS_OF_OWNERS + owner;
}

/* The key of a row of the index. */
struct end_key {
    uint8_t bytes[END_BYTES + sizeof(((struct row_key *)NULL)->bytes)];
    MDB_val val; /* those bytes; the struct must not be copied */
};

void end_key_init(struct end_key *key, uint64_t end, const struct row_key *row);
uint64_t end_of(const struct end_key *key);

/* Whether the key of a row leads to a bucket; otherwise to an object. */
bool end_is_of_bucket(const uint8_t *key);

/* The first row of that end, or a later one. Returns 1, or 0 if there is none. */
int end_first(struct store *store, uint64_t from, struct end_key *ret_key);

/* What an object's row says of its ends was something else before (empty: there was or is no
 * object): the index follows. */
int ends_change(struct store *store, const struct row_key *row, const struct record *old,
                const struct record *record);

/* A bucket ends with an owner (0: with none), or does no longer. */
int ends_add_bucket(struct store *store, uint32_t bucket, uint32_t owner);
int ends_remove_bucket(struct store *store, uint32_t bucket, uint32_t owner);

/* What that takes at most, for a claim. */
uint64_t ends_rows(const struct record *old, const struct record *record);

/* A change: takes away what the row leads to. Adds to *bytes what its value had. */
int end_take_away(struct store *store, struct end_key *key, uint64_t *bytes);

/* Takes away the first object that `which` says. Returns 1, or 0 if there is none. */
typedef int ends_take_first(struct store *store, uint64_t which, uint64_t *bytes);

/* Does that for a share of a turn. Returns how often; errors as of store_expire. */
int ends_take_share(struct store *store, ends_take_first *take_first, uint64_t which);

/* blob.c */

/* The place of a blob's bytes. -EUCLEAN: there is none of that size. */
int blob_find(struct store *store, uint64_t id, uint64_t size, uint8_t **ret_place);

/* Makes the blob of a large value, and its etag; if that cannot be read, there is none. */
int blob_put(struct store *store, const void *value, struct record *record);

/* Frees its row. */
int blob_free(struct store *store, uint64_t id);

/* One object more has it. */
int blob_ref(struct store *store, uint64_t id);

/* One object less has the blob that the record names, if it names one. */
int blob_unref(struct store *store, const struct record *record);

/* Uploads that began in the running transaction: it was committed; it was dropped. */
void uploads_settle(struct store *store);
void uploads_forget(struct store *store, int error);

/* Whether the blob is of one that is under way. */
bool uploads_have(const struct store *store, uint64_t blob);

/* group.c */

/* Takes a change out of what the running group may have; does nothing without one. -EPROTO: it was
 * to have less. */
int group_take(struct store *store, uint64_t bytes, bool has_lifetime);

/* garbage.c */

/* No object has the blob any more: frees it, at once or when no reader can be at it. */
int garbage_add(struct store *store, uint64_t id, uint64_t size);

/* No object has the blob yet: without its upload it would be garbage. Then one has it. */
int garbage_add_upload(struct store *store, uint64_t id, uint64_t size);
int garbage_take_upload(struct store *store, uint64_t id, uint64_t size);

/* spares.c */

#define SPARE_MIN (256U << 10) /* bytes of the smallest one */

/* The size of the blob to make for a large value, a little larger, so that others fit it later. */
uint64_t spare_size_for(uint64_t size);

/* Whether a row of the garbage table is that of a spare. They come behind all others. */
bool garbage_is_spare(const struct garbage_key *row);

/* Keeps a blob that nobody can be at, if there is room for it. */
bool spares_have_room(const struct store *store, uint64_t size);
int spares_add(struct store *store, uint64_t blob, uint64_t size);

/* Finds a spare for a value. Returns 1 and its row, or 0; then takes it. */
int spares_find(struct store *store, uint64_t size, struct garbage_key *ret_row);
int spares_take(struct store *store, const struct garbage_key *row, uint64_t *ret_blob);

/* reserve.c */

/* Opens the environment in the folder with memory to begin with. */
int reserve_open(struct store *store, const char *folder, unsigned flags, unsigned databases);

/* Whether the file has grown so much that a fresh one is worth it. */
bool reserve_is_worn(struct store *store);

/* Makes sure that there is memory for a change; as store_begin. */
int reserve_claim(struct store *store, const struct claim *claim);

/* The same for a whole transaction, which writes `most` at most; or, if there is no more memory,
 * with the free pages inside, which suffice for `least` pages of values. */
int reserve_claim_group(struct store *store, const struct claim *most, uint64_t least);

/* Takes a part of the memory that a claim needs, if it is much: it takes time. Returns whether
 * there is more to take; the claim does the rest. */
bool reserve_approach(struct store *store, const struct claim *claim);

/* After -ENOSPC in a change that frees: may it try once more, with the memory kept back? */
bool reserve_last_resort(struct store *store);

#endif
