/*
 * libmemstore: one store of objects in memory, shared by the processes of a machine.
 *
 * An object is a value (bytes) under a key, with a content type, metadata, an etag, a version and
 * the time of its last change. memstored keeps the objects; every process that opens the same
 * socket sees the same ones.
 *
 * Conventions, for every function here:
 * - A function that can fail returns 0 (or a count or an answer, where it says so), or a negative
 *   errno. memstore_message() then tells more in words, memstore_strerror() less.
 * - ret_ arguments are written only on success. What they return belongs to the caller, who ends
 *   it with the function named; NULL is a fine argument for every such function.
 * - Keys are bytes with a length, NUL included, 0 to MEMSTORE_KEY_MAX of them, taken literally.
 *   Key, value and option pointers are read during the call and not kept.
 * - Values are 0 to MEMSTORE_VALUE_MAX bytes long.
 * - A handle may be used by several threads at once; its calls take turns, direct reads excepted,
 *   which go on side by side. Results (objects, lists, views), batches, locks, watches and
 *   writers belong to one thread at a time, and outlive the handle's close unless said.
 * - Every call ends within the handle's deadline (struct memstore_options), or one of its own where
 *   it waits for what others do; for a batch it is that of each answer. -ETIMEDOUT, and -ECONNRESET
 *   after the daemon went away in the middle, leave open whether a change was made.
 * - An interrupted connection is made anew by the next call.
 *
 * Errors that every call on a handle can give besides its own:
 *   -ECONNREFUSED, -ENOENT (from open), -EACCES, -EPERM  no daemon, no socket, or not ours to use
 *   -ETIMEDOUT    the deadline passed
 *   -ECONNRESET   the daemon closed the connection during the call
 *   -ENXIO        the handle's bucket was dropped
 *   -EOPNOTSUPP   the handle must read directly, and cannot (only with MEMSTORE_READS_DIRECT)
 *   -EUSERS       the daemon has as many clients as it takes
 *   -EPROTO       the other side does not keep to the protocol
 *   -ENOMEM, -EMFILE, -ENFILE  this process is out of memory or descriptors
 */
#ifndef MEMSTORE_H
#define MEMSTORE_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#pragma GCC visibility push(default)

#define MEMSTORE_KEY_MAX 500                             /* bytes of a key */
#define MEMSTORE_VALUE_MAX ((UINT64_C(1) << 32) - 65536) /* bytes of a value: 4 GiB - 64 KiB */
#define MEMSTORE_CONTENT_TYPE_MAX 1024                   /* bytes of a content type */
#define MEMSTORE_METADATA_MAX 32768         /* bytes of all names and values, and 4 for each pair */
#define MEMSTORE_ETAG_SIZE 33               /* 32 hex digits and a NUL */
#define MEMSTORE_TTL_MAX (INT64_C(1) << 53) /* milliseconds of a lifetime */
#define MEMSTORE_BUCKET_NAME_MAX 64         /* bytes of a bucket's name */
#define MEMSTORE_TO_END UINT64_MAX          /* as a length: up to the end; as a limit: none */

struct memstore;             /* a handle on a store */
struct memstore_object;      /* what a call tells of an object, and from memstore_get its value */
struct memstore_list;        /* the result of memstore_list */
struct memstore_view;        /* a value read in place */
struct memstore_writer;      /* a value on its way, piece by piece */
struct memstore_reservation; /* a value that is built in place */
struct memstore_watch;       /* what happens to objects, as it happens */
struct memstore_lock;        /* a lock that this process has */
struct memstore_batch;       /* operations that are asked for together */

/*
 * How a handle reads (memstore_exists, _get, _info, _list, _view). Direct reads look into the
 * store's shared memory themselves: no round trip, and the daemon has no part in them. They are for
 * the daemon's own user, and for others as its option --direct says; they see every change that has
 * been answered, whoever made it. Everybody else, and whatever a direct read cannot do, asks the
 * daemon over the socket; the results are the same.
 */
enum memstore_reads {
    MEMSTORE_READS_AUTO = 0, /* direct where that is possible; $MEMSTORE_READS (direct, socket) may
                                choose otherwise */
    MEMSTORE_READS_DIRECT = 1, /* direct, or -EOPNOTSUPP */
    MEMSTORE_READS_SOCKET = 2, /* never direct */
};

/*
 * How the calls that ask the daemon get to it. Through a ring in shared memory neither side has to
 * be woken while calls come one soon after the other; a handle makes one after its first few calls.
 * The socket is for whoever cannot have one. The results are the same.
 */
enum memstore_calls {
    MEMSTORE_CALLS_AUTO = 0,   /* through a ring where that is possible; $MEMSTORE_CALLS (ring,
                                  socket) may choose otherwise */
    MEMSTORE_CALLS_RING = 1,   /* through a ring from the first call on, or -EOPNOTSUPP */
    MEMSTORE_CALLS_SOCKET = 2, /* never through a ring */
};

/*
 * How to open a store. Set size to sizeof(struct memstore_options) and what is not wanted to 0 or
 * NULL; NULL instead of options means all defaults. Later versions may add members at the end.
 */
struct memstore_options {
    size_t size;
    const char *socket; /* path of the daemon's socket. NULL: $MEMSTORE_SOCKET, else for root
                           /run/memstore/socket, else $XDG_RUNTIME_DIR/memstore/socket */
    const char *bucket; /* its name. NULL: $MEMSTORE_BUCKET, else "default" */
    int timeout_ms;     /* deadline of each call. 0: 5000; negative: -EINVAL */
    enum memstore_reads reads;
    enum memstore_calls calls;
};

/* A pair of strings that an object carries. Both are UTF-8 by custom, and may be empty. */
struct memstore_metadata {
    const char *name;
    const char *value;
};

/*
 * What must be so for a change to be made; the rules for size are those of memstore_options. Either
 * if_absent alone or any of the others, which must hold together. It is decided in the same step as
 * the change and before its limits, and one that fails changes nothing:
 *   -EEXIST  there is an object (if_absent)
 *   -ENOENT  there is none (any other)
 *   -ESTALE  it has another version or etag
 * memstore_conflict_version tells what is there instead. -EINVAL: a condition that is empty or
 * contradicts itself, version 0, an etag that is none.
 *
 * After -ETIMEDOUT and -ECONNRESET it is open whether the change was made, and the library does not
 * try again. Nor should the caller, blindly: a change that was made fails the condition then. Its
 * object tells whose it is.
 */
struct memstore_condition {
    size_t size;
    int if_absent;    /* not 0: only if there is no object */
    int if_present;   /* not 0: only if there is one */
    int has_version;  /* not 0: only if it has this version */
    uint64_t version; /* taken only if has_version is not 0 */
    const char *etag; /* only if it has this etag, 32 hex digits; NULL: any */
};

/* What to store besides the value; the rules for size and NULL are those of memstore_options. */
struct memstore_put_options {
    size_t size;
    const char *content_type; /* NULL: none, which differs from "" */
    const struct memstore_metadata *metadata;
    size_t metadata_count;
    int64_t ttl_ms; /* lifetime: so many milliseconds from now on, up to MEMSTORE_TTL_MAX. 0: the
                       bucket's; -1: without end */
    int ephemeral;  /* not 0: the object ends with the handle. For memstore_put alone; elsewhere it
                       is  -EINVAL */
    const struct memstore_condition *condition; /* about the object that is there; NULL: none */
};

/* Which objects to list; the rules for size and NULL are those of memstore_options. */
struct memstore_list_options {
    size_t size;
    const void *after; /* only keys greater than this one; NULL: from the start */
    size_t after_length;
    uint64_t
        limit; /* at most so many objects. Taken only if has_limit is not 0: 0 is a limit too */
    int has_limit;
};

/*
 * Opens the store: connects, agrees on the protocol, finds the bucket. End with memstore_close.
 * Errors: -EINVAL (options), -ENAMETOOLONG (socket path over 107 bytes, bucket name), -ENOENT (no
 * socket there, or no such bucket), -EPROTONOSUPPORT (the daemon speaks another version).
 */
int memstore_open(const struct memstore_options *options, struct memstore **ret_store);

/*
 * Closes the handle. What was stored stays, unless it is ephemeral. No call may be under way in
 * another thread, and the handle's writers must have ended. NULL is fine.
 */
void memstore_close(struct memstore *store);

/*
 * Stores value_size bytes under the key, in one step: value, content type and metadata replace
 * what was there. Atomic: others see the old object or the new one, and an error means the old.
 * When its lifetime is over, nobody sees the object any more, and its size is free soon after.
 *
 * An ephemeral object is deleted within 100 ms of the handle's end: memstore_close, or that of the
 * process, however it comes about. Whoever puts over it makes the object their own; a copy of it is
 * an ordinary object, and moved it stays ephemeral. A forked child has no part in it. For what is
 * ephemeral the handle has a second connection; if a call that puts it ends with -ETIMEDOUT or
 * -ECONNRESET, or the daemon goes away, all ephemeral objects of the handle end.
 *
 * ret_object (may be NULL) gets the new object's info, without the value.
 * Errors: -EDQUOT (the store's max size would be exceeded; 65,536 ephemeral objects of
 * one handle, of which a bucket counts as 16),
 * -ENOSPC (the store has no memory left for it), -ENAMETOOLONG (key), -EFBIG (value over
 * MEMSTORE_VALUE_MAX), -E2BIG (content type or metadata too long), -EINVAL (a metadata name twice
 * or NULL; a lifetime that is none; options), and those of a condition.
 */
int memstore_put(struct memstore *store, const void *key, size_t key_length, const void *value,
                 size_t value_size, const struct memstore_put_options *options,
                 struct memstore_object **ret_object);

/*
 * Gets the value and info of an object, both of one moment: offset and length choose a part of
 * the value, 0 and MEMSTORE_TO_END all of it. A length beyond the end is cut.
 * Errors: -ENOENT, -ENAMETOOLONG (key), -ERANGE (offset beyond the end; at the end is fine).
 */
int memstore_get(struct memstore *store, const void *key, size_t key_length, uint64_t offset,
                 uint64_t length, struct memstore_object **ret_object);

/*
 * As memstore_get of the whole value, but only if the object has not that version, which the caller
 * has already; 0: in any case. -EALREADY: it has, and nothing was copied; a direct read asks
 * nobody.
 */
int memstore_get_newer(struct memstore *store, const void *key, size_t key_length, uint64_t version,
                       struct memstore_object **ret_object);

/*
 * Takes a view of an object: its info, and its whole value in place. A large value (over 2047
 * bytes) of a direct reader is not copied: the pointer leads into the store's memory, whatever the
 * size, and others may replace or delete the object meanwhile: the bytes under the view never
 * change. They may not be written to; that is a fault (SIGSEGV). Other values are copied.
 *
 * A view costs the store its value's memory until it is released, so release it soon. It outlives
 * its handle, is released from any thread, once, and by the end of the process in any case. After a
 * fork parent and child each have it, and release it each for themselves.
 *
 * Errors: as memstore_get.
 */
int memstore_view(struct memstore *store, const void *key, size_t key_length,
                  struct memstore_view **ret_view);

/* As memstore_view, but only if the object has not that version, as with memstore_get_newer. */
int memstore_view_newer(struct memstore *store, const void *key, size_t key_length,
                        uint64_t version, struct memstore_view **ret_view);

/* The value; *ret_size (may be NULL) gets its bytes. Aligned to 16 bytes; no NUL follows. */
const void *memstore_view_value(const struct memstore_view *view, size_t *ret_size);

/* The info, which belongs to the view. For the value use memstore_view_value. */
const struct memstore_object *memstore_view_object(const struct memstore_view *view);

/* 1 if the value is in the store's memory, 0 if it was copied. */
int memstore_view_is_direct(const struct memstore_view *view);

/* Ends a view; its pointers are of no more use. NULL is fine. */
void memstore_view_release(struct memstore_view *view);

/* As memstore_get, without the value. Errors: -ENOENT, -ENAMETOOLONG (key). */
int memstore_info(struct memstore *store, const void *key, size_t key_length,
                  struct memstore_object **ret_object);

/* Returns 1 if there is such an object, 0 if not. Errors: -ENAMETOOLONG (key). */
int memstore_exists(struct memstore *store, const void *key, size_t key_length);

/* Removes an object; its size is free at once. Errors: -ENOENT, -ENAMETOOLONG (key). */
int memstore_delete(struct memstore *store, const void *key, size_t key_length);

/* The same, on a condition (NULL: none). With if_absent it fails in any case. */
int memstore_delete_if(struct memstore *store, const void *key, size_t key_length,
                       const struct memstore_condition *condition);

/*
 * Adds delta to the number that the object's value is, in one step; the sum is its new value.
 * *ret_value (may be NULL) gets it. A number is the decimal text of an int64_t, such as "0" or
 * "-12": no '+', no spaces, no zeros in front, no NUL. An object that is missing counts as 0 and is
 * made. Content type and metadata stay; version, etag and last-modified are new. Errors: -EINVAL
 * (the value is not a number), -EOVERFLOW (the sum would not be one; both change nothing), -EDQUOT,
 * -ENOSPC, -ENAMETOOLONG (key).
 */
int memstore_add(struct memstore *store, const void *key, size_t key_length, int64_t delta,
                 int64_t *ret_value);

/* The same, on a condition (NULL: none); ret_object (may be NULL) gets the info. */
int memstore_add_if(struct memstore *store, const void *key, size_t key_length, int64_t delta,
                    const struct memstore_condition *condition, int64_t *ret_value,
                    struct memstore_object **ret_object);
/* What to wait for. */
enum memstore_until {
    MEMSTORE_UNTIL_EXISTS = 1,  /* there is such an object */
    MEMSTORE_UNTIL_GONE = 2,    /* there is none */
    MEMSTORE_UNTIL_CHANGED = 3, /* its version is another one; 0 stands for no object */
};

/*
 * Waits until that holds, which may be at once, or timeout_ms have passed: then it is -ETIMEDOUT. A
 * timeout of 0 or less only looks. The handle's deadline has no part in it. Nobody polls: who waits
 * costs nothing, and is woken by the commit that brings it about. States that others cannot see,
 * because the same commit ends them, are passed over.
 *
 * `version` is the one that is known, for MEMSTORE_UNTIL_CHANGED, and 0 otherwise. ret_object (may
 * be NULL) gets the object's info, or NULL where there is none.
 *
 * The call has a connection of its own, and other calls on the handle go on meanwhile. If the
 * daemon goes away, it waits for the next one, and goes on. If the bucket is dropped, that is what
 * MEMSTORE_UNTIL_GONE has waited for.
 *
 * Errors: -ETIMEDOUT, -ENAMETOOLONG (key), -EINVAL (until, version); -ECONNREFUSED also after the
 * daemon went away and did not come back in time.
 */
int memstore_wait(struct memstore *store, const void *key, size_t key_length,
                  enum memstore_until until, uint64_t version, int timeout_ms,
                  struct memstore_object **ret_object);

/* What happened. */
enum memstore_event_kind {
    MEMSTORE_EVENT_PUT = 1,    /* an object is new, or replaced: by a put, a copy or a move */
    MEMSTORE_EVENT_DELETE = 2, /* it is gone: by a delete, or moved away */
    MEMSTORE_EVENT_EXPIRE = 3, /* it is gone: its time was over */
    MEMSTORE_EVENT_EVICT = 4,  /* it is gone: others needed its room */
    MEMSTORE_EVENT_GAP = 5,    /* events up to this version may be missing here */
};

/* An event. It belongs to its watch, and lives until the next call on that. */
struct memstore_event {
    enum memstore_event_kind kind;
    uint64_t version; /* of the change; versions of events only grow in a store */
    const void *key;  /* followed by a NUL that does not count; empty for a gap */
    size_t key_length;
};

#define MEMSTORE_FROM_NOW UINT64_MAX /* as a version: only what happens from now on */

/*
 * Watches the objects whose keys start with the prefix (length 0: all): each change that is
 * committed becomes an event, in the order of versions. `from` is the version behind which they
 * begin, or MEMSTORE_FROM_NOW. Nothing is lost silently: where the daemon no longer knows all that
 * happened, because `from` is long ago, because events are not taken as fast as others change, or
 * because the daemon was replaced, one MEMSTORE_EVENT_GAP stands in its place, and the watch goes
 * on. After a gap, look at the objects themselves.
 *
 * A move is two events: the source's end, then the target's put, at the same moment.
 *
 * A watch has a connection of its own. It belongs to one thread at a time, and to the process that
 * opened it. The handle must outlive it. End with memstore_watch_close.
 * Errors: -ENAMETOOLONG (prefix).
 */
int memstore_watch(struct memstore *store, const void *prefix, size_t prefix_length, uint64_t from,
                   struct memstore_watch **ret_watch);

/*
 * Waits for the next event, timeout_ms at most; a timeout of 0 or less only looks. If the daemon
 * goes away, the next one is looked for; to connect to it may take up to the handle's deadline.
 * Errors: -ETIMEDOUT (no event came), -ECONNREFUSED (the daemon is away; try again), -EINVAL (a
 * watch of another process). The watch stays good after each of these; -ENXIO, when the bucket was
 * dropped, comes behind its last event, and is for ever.
 */
int memstore_watch_next(struct memstore_watch *watch, int timeout_ms,
                        const struct memstore_event **ret_event);

/*
 * A descriptor for programs with a loop of their own. When it is readable there may be events: call
 * memstore_watch_next with a timeout of 0 until that gives an error, also once before the first
 * poll. It stays the same for as long as the watch lives, and belongs to that: only poll it.
 * Returns the descriptor, or an error: -EMFILE, -ENFILE, -ENOMEM, -EINVAL (as above).
 */
int memstore_watch_fd(struct memstore_watch *watch);

/* Ends a watch. NULL is fine. */
void memstore_watch_close(struct memstore_watch *watch);

/*
 * Locks a name: waits until nobody else has it, timeout_ms at most, in the order of asking; a
 * timeout of 0 or less only takes what is free. A name is 0 to MEMSTORE_KEY_MAX bytes, has nothing
 * to do with keys, and each bucket has its own.
 *
 * The lock is this process's, until memstore_unlock or its end, however that comes about; then the
 * next has it within milliseconds. A forked child does not have it. A thread that asks for what it
 * has waits for itself. The lock has a connection of its own, and ends with that: also when the
 * daemon goes away, which memstore_lock_is_held tells. The handle must outlive it.
 *
 * Errors: -ETIMEDOUT (others have it), -ENAMETOOLONG (name), -ENOSPC (no memory for the token);
 * -ECONNREFUSED also after the daemon went away and did not come back in time.
 */
int memstore_lock(struct memstore *store, const void *name, size_t name_length, int timeout_ms,
                  struct memstore_lock **ret_lock);

/* A version that was new when the lock was given, so that whoever has it later has a larger one:
 * who works for the holder can refuse one who only believes to have it still. */
uint64_t memstore_lock_token(const struct memstore_lock *lock);

/* Returns 1, or 0 if the lock was lost, because the daemon went away, or is another process's. It
 * asks nobody, and may be out of date when it returns. */
int memstore_lock_is_held(const struct memstore_lock *lock);

/*
 * Gives the lock up, after an error too. NULL is fine. Errors: -ECONNRESET, if it was lost before;
 * in a forked child, where it only frees memory, -EINVAL.
 */
int memstore_unlock(struct memstore_lock *lock);

/*
 * Lists the objects whose keys start with the prefix (length 0: all), in the byte-wise order of
 * keys: a snapshot of one moment. The options continue after a key and limit how many.
 * Errors: -ENAMETOOLONG (prefix or after), -EFBIG (over 4 GiB of list: set a limit), -EINVAL
 * (options).
 */
int memstore_list(struct memstore *store, const void *prefix, size_t prefix_length,
                  const struct memstore_list_options *options, struct memstore_list **ret_list);

/*
 * Stores the source object under the target key as well, in one step: value, etag, content type
 * and metadata are the same, last-modified and version are new, and what was under the target is
 * replaced. No bytes are copied, but they count again towards the max size.
 * ret_object (may be NULL) gets the target's info.
 * Errors: -ENOENT (source; the target stays as it is), -EDQUOT, -ENOSPC, -ENAMETOOLONG.
 */
int memstore_copy(struct memstore *store, const void *source, size_t source_length,
                  const void *target, size_t target_length, struct memstore_object **ret_object);

/*
 * As memstore_copy, and the source is gone, in the same step: nobody sees both or neither. The
 * total stays or shrinks. Moving a key onto itself keeps the object, with a new version.
 * Errors: -ENOENT (source), -ENOSPC, -ENAMETOOLONG.
 */
int memstore_move(struct memstore *store, const void *source, size_t source_length,
                  const void *target, size_t target_length, struct memstore_object **ret_object);

/* How to copy or move; the rules for size and NULL are those of memstore_options. */
struct memstore_pair_options {
    size_t size;
    const char *bucket;                         /* where the target is; NULL: in the handle's own */
    const struct memstore_condition *condition; /* about the target; NULL: none */
};

/* memstore_copy and memstore_move, with options. From bucket to bucket is one step too: counters
 * and limits of both are exact. Errors also: -ENXIO (there is no such bucket). */
int memstore_copy_to(struct memstore *store, const void *source, size_t source_length,
                     const void *target, size_t target_length,
                     const struct memstore_pair_options *options,
                     struct memstore_object **ret_object);
int memstore_move_to(struct memstore *store, const void *source, size_t source_length,
                     const void *target, size_t target_length,
                     const struct memstore_pair_options *options,
                     struct memstore_object **ret_object);

/*
 * Gives an object a lifetime of ttl_ms from now on, as memstore_put_options does, and nothing else:
 * it can become longer, shorter or without end. Value, version and last-modified stay.
 * ret_object (may be NULL) gets the info. The condition may be NULL.
 * Errors: -ENOENT, -EINVAL (a lifetime that is none), -ENOSPC, -ENAMETOOLONG (key), and those of a
 * condition.
 */
int memstore_touch(struct memstore *store, const void *key, size_t key_length, int64_t ttl_ms,
                   const struct memstore_condition *condition, struct memstore_object **ret_object);

/*
 * Makes the url of a key: "memory://" and the key as it is. Needs no store and no such object.
 * expires_in (seconds) is accepted and changes nothing. *ret_url is NUL-terminated, *ret_length
 * (may be NULL) does not count that NUL; end it with free(). Errors: -ENAMETOOLONG, -ENOMEM.
 */
int memstore_url(const void *key, size_t key_length, uint64_t expires_in, char **ret_url,
                 size_t *ret_length);

/*
 * Buckets: parts of a store, each with keys, limits and counters of its own. A handle works on the
 * one that it was opened with; these calls name any, and work on every handle. "default" is always
 * there. The limits of the store hold for all buckets together.
 *
 * A bucket that is dropped is gone at once with all that is in it, whoever uses it: every call on a
 * handle on it gives -ENXIO from then on, also when there is a new bucket of that name, which is
 * another one. Views that were taken stay.
 *
 * Errors of these calls: -EINVAL (a name that is not 1 to MEMSTORE_BUCKET_NAME_MAX letters, digits,
 * '.', '_' and '-'; options), -ENAMETOOLONG, -ENOSPC, and what is said with them.
 */

/* What becomes of a put that a bucket has no room for. */
enum memstore_policy {
    MEMSTORE_POLICY_REFUSE = 0, /* -EDQUOT */
    MEMSTORE_POLICY_LRU = 1,    /* objects that were used least recently go */
};

/* What is set for a bucket; the rules for size and NULL are those of memstore_options. */
struct memstore_bucket_options {
    size_t size;
    int has_max_size;
    uint64_t max_size; /* bytes of all values together; UINT64_MAX: no limit */
    int has_max_objects;
    uint64_t max_objects; /* UINT64_MAX: no limit */
    int has_policy;
    enum memstore_policy policy;
    int has_ttl;
    int64_t ttl_ms; /* lifetime of objects that are put without one; 0: they do not end */
    int ephemeral;  /* memstore_bucket_create: it ends with the handle */
    int exist_ok;   /* memstore_bucket_create: one that is there is fine, and stays as it is */
};

/*
 * Makes a bucket: without limits, but for those that the options give. An ephemeral one is dropped
 * within 100 ms of the handle's end, as ephemeral objects are (memstore_put), with all that is in
 * it, whoever put it there. Errors: -EEXIST, -EDQUOT (there are as many as there can be, 1,048,576;
 * or the handle has 4,096 ephemeral buckets, or as much with its ephemeral objects).
 */
int memstore_bucket_create(struct memstore *store, const char *name,
                           const struct memstore_bucket_options *options);

/* Removes a bucket with all that is in it: its quota and its name are free at once. Its memory
 * comes back soon after. Errors: -ENOENT, -EPERM ("default"). */
int memstore_bucket_drop(struct memstore *store, const char *name);

/* Makes an ephemeral bucket of this handle an ordinary one: it stays, and somebody else can take it
 * over. Errors: -ENOENT, -EPERM (it does not end with this handle). */
int memstore_bucket_keep(struct memstore *store, const char *name);

/* Changes what the options have. A limit may be below what is used: what would grow is refused
 * then, until that is below it. Errors: -ENOENT. */
int memstore_bucket_set(struct memstore *store, const char *name,
                        const struct memstore_bucket_options *options);

/* Settings and counters of a bucket. Later versions may add members at the end. */
struct memstore_bucket_info {
    char name[MEMSTORE_BUCKET_NAME_MAX + 1];
    uint64_t max_size; /* UINT64_MAX: no limit */
    uint64_t max_objects;
    int64_t ttl_ms; /* 0: none */
    enum memstore_policy policy;
    int ephemeral;
    uint64_t used; /* bytes of its values */
    uint64_t objects;
    /* Since the daemon's start: */
    uint64_t puts;
    uint64_t hits;    /* reads that found their object */
    uint64_t misses;  /* reads that found none */
    uint64_t evicted; /* objects that went to make room */
    uint64_t expired; /* objects whose lifetime ended */
    uint64_t refused; /* changes refused by the bucket's limits */
};

/* Fills the first info_size bytes of *ret_info (pass sizeof(struct memstore_bucket_info)); members
 * that this library does not know become 0. Errors: -ENOENT. */
int memstore_bucket_info(struct memstore *store, const char *name,
                         struct memstore_bucket_info *ret_info, size_t info_size);

/*
 * Lists the buckets by name, byte-wise: those that are there all the while, others perhaps.
 * *ret_buckets is an array of *ret_count structs of info_size bytes; end it with free().
 */
int memstore_bucket_list(struct memstore *store, struct memstore_bucket_info **ret_buckets,
                         size_t *ret_count, size_t info_size);

/* Counters and limits. Later versions may add members at the end. */
struct memstore_stats {
    uint64_t max_size;   /* bytes that all values together may have; UINT64_MAX: no limit */
    uint64_t max_memory; /* bytes of memory that the store may occupy */
    uint64_t used;       /* bytes of all values */
    uint64_t objects;
    uint64_t memory;  /* bytes of memory that the store occupies */
    uint64_t version; /* of the newest change */
    uint64_t buckets;
    uint64_t clients;      /* connections now, this one included */
    uint64_t requests;     /* answered since the daemon's start */
    uint64_t commits;      /* transactions since then */
    uint64_t refused;      /* changes refused since then for lack of quota or memory */
    uint64_t uptime;       /* microseconds since then */
    uint64_t pid;          /* of the daemon */
    uint64_t readers;      /* connections that read directly */
    uint64_t views;        /* that they hold in place */
    uint64_t pinned;       /* bytes of the values that these keep */
    uint64_t garbage;      /* bytes of replaced or deleted values that are not free yet */
    uint64_t waiting;      /* connections that wait for an object or a lock */
    uint64_t watching;     /* connections that watch (memstore_watch) */
    uint64_t locks;        /* that somebody has (memstore_lock) */
    uint64_t direct_reads; /* reads of this handle that were direct */
    uint64_t socket_reads; /* reads of this handle that asked the daemon */
};

/*
 * Fills the first stats_size bytes of *ret_stats (pass sizeof(struct memstore_stats)); members that
 * this library does not know become 0. Errors: -EINVAL (stats_size 0).
 */
int memstore_stats(struct memstore *store, struct memstore_stats *ret_stats, size_t stats_size);

/* A connection that reads directly, and what it holds; a process may have several. */
struct memstore_holder {
    uint32_t pid;
    uint32_t uid;
    uint64_t views;   /* in place */
    uint64_t pinned;  /* bytes of the values that these keep */
    uint64_t readers; /* reads under way */
    uint64_t oldest;  /* age of the oldest of them, microseconds; at least that old */
    char name[16];    /* of the program */
};

/*
 * Lists the holders, those with the most pinned bytes first, at most 1,364. *ret_holders is an
 * array of *ret_count structs of holder_size bytes (pass sizeof(struct memstore_holder)); end it
 * with free(). Errors: -EINVAL (holder_size 0).
 */
int memstore_holders(struct memstore *store, struct memstore_holder **ret_holders,
                     size_t *ret_count, size_t holder_size);

/*
 * An object. Pointers that these functions return belong to the object and live as long as it.
 */

/* The value, or the part that was asked for; *ret_size (may be NULL) gets its bytes. It is followed
 * by a NUL that does not count. NULL and 0 for an object that did not come from memstore_get. */
const void *memstore_object_value(const struct memstore_object *object, size_t *ret_size);
/* The key; *ret_length (may be NULL) gets its bytes. Followed by a NUL that does not count. */
const void *memstore_object_key(const struct memstore_object *object, size_t *ret_length);
/* Size of the whole value in bytes, whatever part was asked for. */
uint64_t memstore_object_size(const struct memstore_object *object);
/* A number that grows with every change in the store and is never used twice. */
uint64_t memstore_object_version(const struct memstore_object *object);
/* Time of the last change, microseconds since 1970 (UTC). */
int64_t memstore_object_modified(const struct memstore_object *object);
/* When it ends, microseconds since 1970 (UTC) as the date was set at the time of the call; 0:
 * never. Its lifetime does not depend on the date. */
int64_t memstore_object_expires(const struct memstore_object *object);
/* 32 hex digits that depend on the value alone: XXH3-128, a fingerprint and not a cryptographic
 * one; who can choose values can make two with the same etag. */
const char *memstore_object_etag(const struct memstore_object *object);
/* The content type as it was given; NULL: none was. */
const char *memstore_object_content_type(const struct memstore_object *object);
/* Metadata: how many pairs, each of them in the byte-wise order of names (NULL beyond the end),
 * and the value of a name (NULL: no such name). */
size_t memstore_object_metadata_count(const struct memstore_object *object);
const struct memstore_metadata *memstore_object_metadata_at(const struct memstore_object *object,
                                                            size_t index);
const char *memstore_object_metadata(const struct memstore_object *object, const char *name);
/* Ends an object; not one that belongs to a list. */
void memstore_object_free(struct memstore_object *object);

/* A list: how many objects, and each of them, which belongs to the list (NULL beyond the end). */
size_t memstore_list_count(const struct memstore_list *list);
const struct memstore_object *memstore_list_at(const struct memstore_list *list, size_t index);
void memstore_list_free(struct memstore_list *list);

/*
 * Starts a value that arrives piece by piece. Nobody sees any of it before the commit; until then
 * it is this process's memory, and the old object stays. A writer has a connection of its own.
 * End with memstore_writer_commit or memstore_writer_abort. The handle must outlive the writer.
 * Errors: as memstore_open and memstore_put, -EDQUOT and -ENOSPC excepted.
 */
int memstore_writer_open(struct memstore *store, const void *key, size_t key_length,
                         const struct memstore_put_options *options,
                         struct memstore_writer **ret_writer);

/* Appends to the value. After an error only the abort is left. Errors: -EFBIG, -ENOMEM. */
int memstore_writer_write(struct memstore_writer *writer, const void *data, size_t size);

/* Puts the value, as memstore_put does, and ends the writer, after an error too. */
int memstore_writer_commit(struct memstore_writer *writer, struct memstore_object **ret_object);

/* Ends the writer; the store is as it was. NULL is fine. */
void memstore_writer_abort(struct memstore_writer *writer);

/*
 * Computes a value: appends it to the writer with memstore_writer_write, and nothing else with
 * that. Other calls on the handle are fine. Returns 0, or a negative errno if there is none.
 */
typedef int (*memstore_compute)(struct memstore_writer *writer, void *context);

/*
 * Gets an object that exists, or is made now: of all who ask for it at the same time, in whatever
 * process, one computes the value and puts it, with these options, and the others wait for that,
 * timeout_ms at most; a timeout of 0 or less does not wait for others. If the one dies, or has no
 * value, or cannot put it, the next of those who wait computes. How long it takes to compute has no
 * limit. ret_object (may be NULL) gets the object with its value.
 *
 * Errors: those of memstore_get, memstore_put and memstore_lock; -ETIMEDOUT: others are at it; what
 * `compute` returned, to its own caller alone; -EINVAL (no `compute`).
 */
int memstore_once(struct memstore *store, const void *key, size_t key_length,
                  memstore_compute compute, void *context,
                  const struct memstore_put_options *options, int timeout_ms,
                  struct memstore_object **ret_object);

/*
 * Starts a value of `size` bytes that the program builds where the daemon takes it from, and so
 * saves a copy: *ret_place is theirs to fill, in any order, until the commit. What stands there at
 * first is undefined. Everything else is as with a writer, which this is with all bytes at once;
 * the memory of the last one is used again, so that a program that does this often meets no page
 * fault. End with memstore_commit or memstore_cancel. The handle must outlive the reservation.
 * Errors: as memstore_writer_open, and -EFBIG (over MEMSTORE_VALUE_MAX).
 */
int memstore_reserve(struct memstore *store, const void *key, size_t key_length, size_t size,
                     const struct memstore_put_options *options,
                     struct memstore_reservation **ret_reservation, void **ret_place);

/* Puts the value, as memstore_put does, and ends the reservation, after an error too. */
int memstore_commit(struct memstore_reservation *reservation, struct memstore_object **ret_object);

/* Ends the reservation; the store is as it was. NULL is fine. */
void memstore_cancel(struct memstore_reservation *reservation);

/*
 * Batches: puts, gets, existence checks and deletes that are asked for together, in one call,
 * and done in the order in which they were appended, each with an answer of its own. A batch of
 * many small operations costs a fraction of as many calls.
 *
 * A plain batch is no more than its operations: each is atomic for itself, some may fail while
 * others happen, and other processes' changes may come in between. One that is all or nothing
 * (atomic) is one change: other processes see all of it or none, its reads are of one moment, the
 * size limit is checked for the whole, and if one put or delete fails, nothing has happened.
 */

/* How to make a batch; the rules for size and NULL are those of memstore_options. */
struct memstore_batch_options {
    size_t size;
    int atomic; /* not 0: all or nothing */
};

/*
 * Makes an empty batch on a handle, which must outlive it. A batch belongs to one thread at a time.
 * End with memstore_batch_destroy. Errors: -EINVAL (options), -ENOMEM.
 */
int memstore_batch_create(struct memstore *store, const struct memstore_batch_options *options,
                          struct memstore_batch **ret_batch);

/*
 * Append an operation; nothing is sent yet. Key and options are copied; a value must stay as it is
 * until memstore_batch_run has returned. A batch that is all or nothing takes 1024 operations and
 * 16 MiB of keys, attributes and values at most, and the values that it gets may have 4 MiB in all;
 * a plain one is limited by memory only.
 * Errors: -E2BIG (such a limit), -ENOMEM, and those of memstore_put for what can be seen before the
 * store is asked: -ENAMETOOLONG, -EFBIG, -E2BIG, -EINVAL. The batch is then as it was.
 */
int memstore_batch_put(struct memstore_batch *batch, const void *key, size_t key_length,
                       const void *value, size_t value_size,
                       const struct memstore_put_options *options);
int memstore_batch_get(struct memstore_batch *batch, const void *key, size_t key_length);
int memstore_batch_exists(struct memstore_batch *batch, const void *key, size_t key_length);
int memstore_batch_delete(struct memstore_batch *batch, const void *key, size_t key_length);

/*
 * Does all operations in order. Returns 0 when each has its answer, which may be an error of its
 * own: see memstore_batch_failed. For an all-or-nothing batch it returns the error of the operation
 * that failed; then nothing has happened. A get or exists of a missing key does not fail a batch.
 *
 * The handle's deadline is that of each answer, not of the whole: a long batch that gets on does
 * not time out. After -ETIMEDOUT and -ECONNRESET it is open which of the unanswered operations of a
 * plain batch were done, and whether an all-or-nothing one was (as a whole). A batch may be run
 * again; it does everything anew.
 *
 * While nothing is unanswered that comes before them, a plain batch's reads are direct where the
 * handle's are; all others ask the daemon, also where the handle may read directly only.
 */
int memstore_batch_run(struct memstore_batch *batch);

/* Operations in the batch. */
size_t memstore_batch_count(const struct memstore_batch *batch);

/*
 * The answer to an operation of the last run: 0, for exists 1 or 0, or a negative errno, which
 * memstore_message then explains. -ECANCELED: it was not done, because the batch was not run, or
 * broke off before, or another operation of an all-or-nothing batch failed. -EINVAL: there is no
 * such operation.
 */
int memstore_batch_status(struct memstore_batch *batch, size_t index);

/*
 * What a get got, with the value, or the info of what a put stored. It belongs to the batch and
 * lives until the next run, clear or destroy. NULL: the operation has none (see its status), or
 * there is no memory for it.
 */
const struct memstore_object *memstore_batch_object(struct memstore_batch *batch, size_t index);

/* The operation that undid an all-or-nothing batch, otherwise the first whose status is an error;
 * the count if there is none, or if all of them together failed (-EDQUOT). */
size_t memstore_batch_failed(const struct memstore_batch *batch);

/* Takes all operations and answers out. Memory is kept for the next ones. */
void memstore_batch_clear(struct memstore_batch *batch);

/* Ends a batch; what was done stays. NULL is fine. */
void memstore_batch_destroy(struct memstore_batch *batch);

/* A text for a negative errno, in the terms of this library. It is never NULL and lives for ever.
 */
const char *memstore_strerror(int error);

/*
 * What went wrong in this thread's last failed call, in a sentence that names the key, limit or
 * path. It lives until the thread's next call into the library; "" if none failed yet.
 */
const char *memstore_message(void);

/*
 * The version of the object that was there when this thread's last condition failed; 0: there was
 * none. For an operation of a batch it is told after memstore_batch_status.
 */
uint64_t memstore_conflict_version(void);

/* The library's version, "1.0.0". */
const char *memstore_version(void);

#pragma GCC visibility pop

#ifdef __cplusplus
}
#endif
#endif
