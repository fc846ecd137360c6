/*
 * The wire protocol between memstored and its clients: this header is all of it.
 * man/memstore-protocol.7 explains it for someone who writes a client in another language.
 *
 * A connection is a Unix stream socket that carries frames in both directions. A frame is a
 * header of 32 bytes and a body; with its header it is at most FRAME_MAX bytes long. Every
 * request gets exactly one answer (WATCH: many), which repeats the operation and the id of the
 * request. Answers of one connection come in the order of its requests. Numbers are little-endian.
 *
 * The socket carries control, memory carries bytes: a body that is too large for a frame stands
 * in the connection's bulk buffer, a memfd that the client makes, seals against shrinking
 * (F_SEAL_SHRINK) and hands over once (OPERATION_ATTACH). The client decides which part of the
 * buffer a request may use, and must leave that part alone until the answer is there.
 */
#ifndef MEMSTORE_PROTOCOL_H
#define MEMSTORE_PROTOCOL_H

#include <assert.h>
#include <stdint.h>

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
              "the structs below are sent as they stand in memory");

#define PROTOCOL_MAGIC 0x534d454dU /* "MEMS" */
#define PROTOCOL_VERSION 1

/* Limits that both sides check. */
#define FRAME_MAX 65536                       /* bytes of a frame, its header included */
#define KEY_MAX 500                           /* bytes of a key; 0 is allowed */
#define BUCKET_NAME_MAX 64                    /* bytes of a bucket's name, 1 at least */
#define BUCKETS_MAX (1U << 20)                /* buckets */
#define CONTENT_TYPE_MAX 1024                 /* bytes of a content type */
#define METADATA_MAX 32768                    /* bytes of an encoded metadata block */
#define VALUE_MAX ((1ULL << 32) - (64 << 10)) /* bytes of a value: 4 GiB - 64 KiB */
#define TTL_MAX (1LL << 53)                   /* milliseconds of a lifetime */
#define BULK_MAX (1ULL << 32)                 /* bytes of a bulk buffer */
#define BULK_LENGTH_MAX UINT32_MAX            /* bytes of it that one request can use */
#define EPHEMERAL_MAX 65536                   /* objects that end with one connection, */
#define EPHEMERAL_BUCKET 16                   /* of which a bucket counts as so many */
#define INLINE_MAX 8192 /* bytes of a value that rides in its frame where bulk is possible too */

/* What a request asks for. Numbers are never used again; retired ones stay listed here. */
enum operation {
    OPERATION_HELLO = 1,    /* the first frame, and only the first: agree on a version */
    OPERATION_ATTACH = 2,   /* hand over the bulk buffer */
    OPERATION_PUT = 3,      /* store an object, whole */
    OPERATION_GET = 4,      /* value and info of an object, or a range of the value */
    OPERATION_EXISTS = 5,   /* is there such an object: status 0 or -ENOENT */
    OPERATION_DELETE = 6,   /* remove an object */
    OPERATION_INFO = 7,     /* what there is to know of an object, without its value */
    OPERATION_LIST = 8,     /* the infos of objects by prefix, a snapshot */
    OPERATION_COPY = 9,     /* one object under one more key */
    OPERATION_MOVE = 10,    /* one object under another key */
    OPERATION_STATS = 11,   /* counters and limits of the store */
    OPERATION_DIRECT = 12,  /* hand out the store's folder, to read in place */
    OPERATION_HOLDERS = 13, /* which clients hold memory */
    OPERATION_RING = 14,    /* frames go through shared memory from now on */
    OPERATION_BATCH = 15,   /* several requests, all or nothing */
    OPERATION_TOUCH = 16,   /* set the end of an object anew */
    OPERATION_ADD = 17,     /* add to the number that an object's value is */
    OPERATION_BUCKET_CREATE = 18,
    OPERATION_BUCKET_DROP = 19, /* remove a bucket and all that is in it */
    OPERATION_BUCKET_LIST = 20,
    OPERATION_BUCKET_INFO = 21, /* settings and counters of a bucket */
    OPERATION_BUCKET_SET = 22,  /* change settings of a bucket */
    OPERATION_BUCKET_KEEP = 27, /* an ephemeral bucket becomes an ordinary one */
    OPERATION_WAIT = 23,        /* the answer comes when an object is there, has changed, is gone */
    OPERATION_WATCH = 24,       /* answers without end: what happens to objects by prefix */
    OPERATION_LOCK = 25,        /* have a lock, or wait for it */
    OPERATION_UNLOCK = 26,      /* give it up */
};

/* Frame flags. A bit that is not listed must be 0. */
#define FRAME_ANSWER 0x0001    /* set in every answer, in no request */
#define FRAME_BULK 0x0002      /* the frame names a part of the bulk buffer */
#define FRAME_CHAINED 0x0004   /* a request that is done only if the one before it fitted */
#define FRAME_CONDITION 0x0008 /* a request with a condition, an answer that says it failed */

/*
 * Each frame starts with this.
 *
 * The bulk fields are 0 without FRAME_BULK. With it, in a PUT they say where the value stands; in
 * a GET and a LIST, where the answer may be written. In the answer they say where it was
 * written; a small value comes in its frame instead, without FRAME_BULK.
 *
 * status is 0 in a request. In an answer it is 0 or a negative errno of the machine's; the body
 * of such an error is a text in UTF-8 for people, which may be empty. -EMSGSIZE means that the
 * answer did not fit; its bulk_length then says how much room it needs.
 *
 * Who sends requests without waiting for each answer, and wants their order kept, sets
 * FRAME_CHAINED in all but the first: after one whose answer did not fit, those that are chained to
 * it are not done, but answered -ECANCELED, up to the first that is not chained.
 */
struct frame_header {
    uint32_t length; /* of the whole frame in bytes, this header included */
    uint16_t operation;
    uint16_t flags;
    uint64_t id; /* the client's choice */
    int32_t status;
    uint32_t bulk_length; /* bytes */
    uint64_t bulk_offset; /* bytes from the start of the bulk buffer */
};
static_assert(sizeof(struct frame_header) == 32, "frame_header");

#define BODY_MAX (FRAME_MAX - sizeof(struct frame_header))

/*
 * A request with FRAME_CONDITION is done only if a condition holds, which stands at the front of
 * its body. PUT, DELETE, TOUCH, ADD, COPY and MOVE (of both: about the target) take ABSENT by
 * itself, or any of PRESENT, VERSION and ETAG, which must hold together; GET and INFO take
 * NOT_VERSION. -EINVAL: other kinds, none, or VERSION with a version of 0.
 *
 * It is decided in the same step as the change, and before its limits are checked. If it fails
 * nothing has changed, and the answer has FRAME_CONDITION too: its body is condition_failure and a
 * text, also where a BATCH failed, whose batch_failure stands behind it. Its status:
 * -EEXIST: there is an object (ABSENT); -ENOENT: there is none (PRESENT, VERSION, ETAG); -ESTALE:
 * it is another one (VERSION, ETAG); -EALREADY: it is still that one (NOT_VERSION).
 *
 * For a value that is larger than a frame it is decided when the value is there; one that fails at
 * the beginning already is answered then.
 */
struct condition {
    uint32_t kinds;
    uint32_t reserved; /* 0 */
    uint64_t version;  /* of VERSION and NOT_VERSION */
    uint8_t etag[16];  /* of ETAG */
};
static_assert(sizeof(struct condition) == 32, "condition");

#define CONDITION_ABSENT 1U
#define CONDITION_PRESENT 2U
#define CONDITION_VERSION 4U
#define CONDITION_ETAG 8U
#define CONDITION_NOT_VERSION 16U

struct condition_failure {
    uint64_t version; /* of the object that is there; 0: there is none */
};
static_assert(sizeof(struct condition_failure) == 8, "condition_failure");

/*
 * HELLO. Magic and versions stand in the same place in every version of the protocol. A daemon
 * that speaks none of the versions answers -EPROTONOSUPPORT and closes; one that has no such
 * bucket answers -ENOENT and closes.
 * Request: hello_request, bucket name. Answer: hello_answer.
 */
struct hello_request {
    uint32_t magic;
    uint16_t version_min; /* the oldest version that the client speaks */
    uint16_t version_max; /* the newest */
    uint16_t bucket_length;
    uint16_t reserved; /* 0 */
};
static_assert(sizeof(struct hello_request) == 12, "hello_request");

struct hello_answer {
    uint32_t magic;
    uint16_t version; /* the one to speak */
    uint16_t reserved;
    uint32_t bucket;   /* the id to name the bucket by */
    uint32_t pid;      /* of the daemon */
    uint8_t store[16]; /* names this store: another one after a fresh start */
};
static_assert(sizeof(struct hello_answer) == 32, "hello_answer");

/*
 * A request that names a bucket by its id, as HELLO told it, is answered -ENXIO once that bucket
 * has been dropped. One of the same name that is made later is another one, with another id: ids
 * are never used again.
 */

/* ATTACH. Request: no body, one descriptor (SCM_RIGHTS) with its first byte. Answer: no body. */

/*
 * EXISTS, DELETE, INFO. Request: key_request, key.
 * Answer: EXISTS and DELETE: no body. INFO: object_info, content type, metadata.
 */
struct key_request {
    uint32_t bucket;
    uint16_t key_length;
    uint16_t reserved; /* 0 */
};
static_assert(sizeof(struct key_request) == 8, "key_request");

#define NO_CONTENT_TYPE 0xffff /* as a length: there is none, which differs from an empty one */

/*
 * PUT. Request: put_request, key, content type, metadata, then the value up to the end of the
 * frame, or, with FRAME_BULK, nothing more. Answer: object_info, content type, metadata.
 *
 * With a window (FRAME_BULK, and a ring) the value need not be there yet: it comes through a part
 * of the bulk buffer, `window` bytes from bulk_offset on, in a circle, while the daemon takes it
 * out; bulk_length is the size of the whole value. How far both are is told in the ring (ring.h).
 * An answer before the end says that the rest is not wanted.
 */
struct put_request {
    uint32_t bucket;
    uint16_t key_length;
    uint16_t type_length; /* or NO_CONTENT_TYPE */
    uint32_t metadata_length;
    uint32_t window;   /* bytes; 0: the value stands whole */
    int64_t ttl;       /* lifetime, as below */
    uint32_t flags;    /* PUT_EPHEMERAL */
    uint32_t reserved; /* 0 */
};
static_assert(sizeof(struct put_request) == 32, "put_request");

/* The object ends with the connection, if it has not ended before or been replaced. Not in a BATCH.
 * -EDQUOT: the connection has EPHEMERAL_MAX of them, ephemeral buckets counted in. */
#define PUT_EPHEMERAL 0x1

/*
 * A lifetime is 1 to TTL_MAX milliseconds from the change on; the bucket's default; or without end.
 * -EINVAL: it is none of these. It is measured by a clock that nobody sets (boottime.h). When it is
 * over, the object is gone for everybody; its memory and quota are given back soon after.
 */
#define TTL_DEFAULT 0
#define TTL_NEVER (-1)

/*
 * GET. Request: get_request, key. The range is cut at the end of the value; an offset beyond the
 * end is -ERANGE, one exactly at the end is empty.
 * Answer: object_info, content type, metadata, then the bytes, unless they stand in the bulk
 * buffer. How many bytes came is the rest of the body, or bulk_length.
 */
struct get_request {
    uint32_t bucket;
    uint16_t key_length;
    uint16_t reserved; /* 0 */
    uint64_t offset;
    uint64_t length; /* UINT64_MAX: up to the end */
};
static_assert(sizeof(struct get_request) == 24, "get_request");

/* What INFO, GET, PUT, COPY, MOVE, TOUCH and ADD answer, and the entries of LIST. */
struct object_info {
    uint64_t size; /* of the whole value, in bytes */
    uint64_t version;
    int64_t modified; /* microseconds since 1970, UTC */
    int64_t expires;  /* the same, as the date is set at the moment; 0: never */
    uint8_t etag[16]; /* XXH3-128 of the value, in its canonical (big-endian) form */
    uint32_t metadata_length;
    uint16_t type_length; /* or NO_CONTENT_TYPE */
    uint16_t key_length;  /* of the key that follows in a LIST entry; else 0 */
};
static_assert(sizeof(struct object_info) == 56, "object_info");

/*
 * LIST. Request: list_request, prefix, after. With FRAME_BULK the entries come in the bulk buffer.
 * Entries come in the byte-wise order of their keys; all are of one moment, after the earlier
 * requests of this connection. Answer: list_answer, then, in the frame or the bulk buffer, count
 * entries without padding between them: object_info, key, content type, metadata.
 */
struct list_request {
    uint32_t bucket;
    uint16_t prefix_length;
    uint16_t after_length; /* or NO_AFTER */
    uint64_t limit;        /* UINT64_MAX: none */
};
static_assert(sizeof(struct list_request) == 16, "list_request");

#define NO_AFTER 0xffff /* as a length: from the start. Else only keys greater than `after` */

struct list_answer {
    uint64_t count;
};
static_assert(sizeof(struct list_answer) == 8, "list_answer");

/* COPY, MOVE. Request: pair_request, source, target, and the name of the target's bucket, if that
 * is another one (-ENXIO: there is none of that name). Answer: as INFO, of the target. It ends when
 * the source does. */
struct pair_request {
    uint32_t bucket;
    uint16_t source_length;
    uint16_t target_length;
    uint16_t name_length; /* 0: the target is in the same bucket */
    uint16_t reserved;    /* 0 */
};
static_assert(sizeof(struct pair_request) == 12, "pair_request");

/* TOUCH. Request: touch_request, key. Answer: as INFO; the version is as before. */
struct touch_request {
    uint32_t bucket;
    uint16_t key_length;
    uint16_t reserved; /* 0 */
    int64_t ttl;       /* as of a PUT, from now on */
};
static_assert(sizeof(struct touch_request) == 16, "touch_request");

/*
 * ADD. The object's value is a decimal number, to which another is added, in one step. Request:
 * add_request, key. Answer: add_answer, then as INFO. A missing object counts as 0, and is made;
 * content type and metadata of one that is there stay. -EINVAL: the value is not a number;
 * -EOVERFLOW: the sum is none of 64 bits. A number is what ADD writes: digits without zeros in
 * front, "0" apart, and in front of these '-' if it is negative; nothing else.
 */
struct add_request {
    uint32_t bucket;
    uint16_t key_length;
    uint16_t reserved; /* 0 */
    int64_t delta;
};
static_assert(sizeof(struct add_request) == 16, "add_request");

struct add_answer {
    int64_t value; /* the new one */
};
static_assert(sizeof(struct add_answer) == 8, "add_answer");

#define NO_LIMIT UINT64_MAX /* as max_size and max_objects */

/* What is set for a bucket. Its limits hold below those of the store. */
struct bucket_settings {
    uint64_t max_size;    /* bytes of its values, or NO_LIMIT */
    uint64_t max_objects; /* or NO_LIMIT */
    int64_t ttl;          /* of objects that are put without a lifetime, milliseconds; 0: none */
    uint32_t policy;      /* enum policy */
    uint32_t reserved;    /* 0 */
};
static_assert(sizeof(struct bucket_settings) == 32, "bucket_settings");

/* What becomes of a put that its bucket has no room for. */
enum policy {
    POLICY_REFUSE = 0, /* it is refused */
    POLICY_LRU = 1,    /* it makes room: what was used least recently goes */
};

/* Names of buckets have 1 to BUCKET_NAME_MAX letters, digits, '.', '_' and '-' (-EINVAL,
 * -ENAMETOOLONG). The bucket "default" is always there: it can be set, and not be dropped (-EPERM).
 */

/* BUCKET_CREATE, BUCKET_SET. Request: bucket_request, name. CREATE takes all settings, and answers
 * as BUCKET_INFO; -EEXIST: there is one; -EDQUOT: there are BUCKETS_MAX. SET changes what `which`
 * names, also to a limit below what is used, and answers without a body. */
struct bucket_request {
    struct bucket_settings settings;
    uint16_t which; /* BUCKET_SET: one or more of the bits below. BUCKET_CREATE: 0 */
    uint16_t flags; /* BUCKET_CREATE: bits below. BUCKET_SET: 0 */
    uint16_t name_length;
    uint16_t reserved; /* 0 */
};
static_assert(sizeof(struct bucket_request) == 40, "bucket_request");

#define BUCKET_SET_MAX_SIZE 0x0001
#define BUCKET_SET_MAX_OBJECTS 0x0002
#define BUCKET_SET_TTL 0x0004
#define BUCKET_SET_POLICY 0x0008

#define BUCKET_EPHEMERAL 0x0002 /* it is dropped when the connection ends */
#define BUCKET_EXIST_OK 0x0001  /* one that is there is answered, and stays as it is */

/*
 * BUCKET_DROP, BUCKET_KEEP, BUCKET_INFO. Request: bucket_name_request, name. -ENOENT: there is
 * none. Answer: DROP: no body; the bucket is gone with all that is in it, its quota is free, and so
 * is its name. KEEP: no body; -EPERM: the bucket does not end with this connection. INFO:
 * bucket_info. BUCKET_LIST. Request: bucket_name_request, a name after which to begin, or none.
 * Answer: count (list_answer), then so many times bucket_info and the name, in the byte-wise order
 * of names: as many as a frame holds. None: that was all.
 */
struct bucket_name_request {
    uint16_t name_length;
    uint16_t reserved; /* 0 */
};
static_assert(sizeof(struct bucket_name_request) == 4, "bucket_name_request");

struct bucket_info {
    struct bucket_settings settings;
    uint64_t used; /* bytes of its values */
    uint64_t objects;
    /* Since the daemon's start: */
    uint64_t puts;
    uint64_t hits;        /* reads that found an object */
    uint64_t misses;      /* reads that found none */
    uint64_t evicted;     /* objects that went to make room */
    uint64_t expired;     /* objects whose lifetime ended */
    uint64_t refused;     /* changes refused by the bucket's limits */
    uint32_t bucket;      /* id */
    uint16_t flags;       /* BUCKET_EPHEMERAL */
    uint16_t name_length; /* of the name that follows in a LIST; else 0 */
};
static_assert(sizeof(struct bucket_info) == 104, "bucket_info");

/* STATS. Request: no body. Answer: stats_answer. */
struct stats_answer {
    uint64_t max_size;   /* the limit of used, bytes; UINT64_MAX: none */
    uint64_t max_memory; /* the limit of memory, bytes */
    uint64_t used;       /* bytes of all values */
    uint64_t objects;
    uint64_t memory;  /* bytes of tmpfs that the store occupies */
    uint64_t version; /* of the newest change */
    uint64_t buckets;
    uint64_t clients;  /* connected now */
    uint64_t requests; /* answered since the start */
    uint64_t commits;  /* transactions since the start */
    uint64_t refused;  /* changes refused for lack of quota or memory, since the start */
    uint64_t uptime;   /* microseconds */
    uint64_t pid;
    uint64_t readers;  /* connections that read directly */
    uint64_t views;    /* that they hold in place */
    uint64_t pinned;   /* bytes of the values that these keep */
    uint64_t garbage;  /* bytes of values that no object has any more and that are not free yet */
    uint64_t waiting;  /* connections whose WAIT or LOCK has no answer yet */
    uint64_t watching; /* connections that WATCH */
    uint64_t locks;    /* that somebody has */
};
static_assert(sizeof(struct stats_answer) == 160, "stats_answer");

/*
 * DIRECT. Request: no body. Answer: direct_answer, with two descriptors (SCM_RIGHTS): the data
 * folder, whose LMDB environment the client may open for reading, and the client's pin table
 * (pins.h). They come with the answer's first byte or before it. -EPERM: not for this user;
 * -EALREADY: the connection has them.
 */
struct direct_answer {
    uint64_t map_size; /* bytes of address space to map, so that no growth is noticed */
};
static_assert(sizeof(struct direct_answer) == 8, "direct_answer");

/*
 * HOLDERS. Request: no body. Answer: count (list_answer), then so many holders: the direct readers,
 * those with the most pinned bytes first, as many as a frame holds.
 */
struct holder {
    uint32_t pid;
    uint32_t uid;
    uint32_t views;
    uint32_t readers; /* read transactions that are open */
    uint64_t pinned;  /* bytes of the values that its views keep */
    uint64_t oldest;  /* age of its oldest open read transaction, microseconds */
    char name[16];    /* of the program, ends with a NUL */
};
static_assert(sizeof(struct holder) == 48, "holder");

/*
 * RING. Request: no body, one descriptor (SCM_RIGHTS) with its first byte: a memfd of
 * RING_FILE_SIZE bytes as ring.h describes it, sealed against shrinking and growing. Answer: no
 * body. From the frame behind this one on, frames of both directions go through the ring; nothing
 * else does. Bytes on the socket mean nothing then but "look into the ring": the client sends one
 * where the daemon says that it sleeps, the daemon sends none. Descriptors come with such a byte,
 * before the frame that they belong to. -EINVAL: not such a memfd; -EALREADY: there is a ring.
 * After an error frames go over the socket as before.
 */

/*
 * BATCH. Several requests in one step: all of them happen, or none. With FRAME_BULK, and in the
 * bulk buffer `count` whole frames, one behind the other: PUT, GET, EXISTS and DELETE, which may
 * use other parts of the buffer. Limits are checked for the whole: room that a later one frees
 * counts for an earlier one. Request: batch_request. Answers: one for each, in order, and then that
 * of the BATCH, without a body; or, if a change cannot be made (what a GET or an EXISTS does not
 * find is none), only that of the BATCH: its status, batch_failure, and a text.
 */
struct batch_request {
    uint32_t count;
    uint32_t reserved; /* 0 */
};
static_assert(sizeof(struct batch_request) == 8, "batch_request");

struct batch_failure {
    uint32_t index; /* of the request that failed; count: all of them together did */
    uint32_t reserved;
};
static_assert(sizeof(struct batch_failure) == 8, "batch_failure");

#define BATCH_COUNT_MAX 1024                  /* requests in a batch */
#define BATCH_BYTES_MAX (UINT32_C(16) << 20)  /* bytes of its frames, and of all its values */
#define BATCH_ANSWERS_MAX (UINT32_C(4) << 20) /* bytes of its answers */

/*
 * WAIT. Request: wait_request, key. The answer comes when the condition holds, which is at once if
 * it does already: as that of INFO, or without a body where there is no such object. What holds is
 * judged at each commit. The connection's further requests wait as well. There is no deadline: who
 * has waited enough closes the connection.
 */
struct wait_request {
    uint32_t bucket;
    uint16_t key_length;
    uint16_t until;   /* enum wait_until */
    uint64_t version; /* WAIT_CHANGED: the one that is known, 0: no object. Else 0 */
};
static_assert(sizeof(struct wait_request) == 16, "wait_request");

enum wait_until {
    WAIT_EXISTS = 1,  /* there is such an object */
    WAIT_GONE = 2,    /* there is none */
    WAIT_CHANGED = 3, /* it has another version, or begins or ends to be */
};

/*
 * WATCH. Request: watch_request, prefix. Answer: watch_answer, then, as further answers to the same
 * request, a watch_event and a key for each change of an object whose key starts with the prefix,
 * in the order of versions, and no other answer. The connection's further requests wait for ever.
 * An answer with an error ends it.
 *
 * The daemon keeps the last events of all buckets, 65,536 of them or 4 MiB. Where some may be
 * missing, because `from` is older, or the client does not read as fast as others change, an
 * EVENT_GAP stands in their place, with an empty key and the version up to which that is so.
 */
struct watch_request {
    uint32_t bucket;
    uint16_t prefix_length;
    uint16_t reserved; /* 0 */
    uint64_t from;     /* only what is newer than this version; WATCH_FROM_NOW */
};
static_assert(sizeof(struct watch_request) == 16, "watch_request");

#define WATCH_FROM_NOW UINT64_MAX

struct watch_answer {
    uint64_t version; /* the events begin behind it */
};
static_assert(sizeof(struct watch_answer) == 8, "watch_answer");

struct watch_event {
    uint64_t version;
    uint16_t kind; /* enum event_kind */
    uint16_t key_length;
    uint32_t reserved; /* 0 */
};
static_assert(sizeof(struct watch_event) == 16, "watch_event");

/* What can happen to an object. */
enum event_kind {
    EVENT_PUT = 1,    /* it is new, or replaced: by a put, a copy or a move */
    EVENT_DELETE = 2, /* it is gone: by a delete, or moved away */
    EVENT_EXPIRE = 3, /* it is gone: its time was over */
    EVENT_EVICT = 4,  /* it is gone: others needed its room */
    EVENT_GAP = 5,    /* events may be missing here */
};

/*
 * LOCK. Request: lock_request, name. Answer: lock_answer, when the connection has the lock, in the
 * order of asking. -EALREADY: it has one, and one is the most; -EBUSY: others have it, or wait for
 * it (LOCK_NOW). While it waits, further requests wait as well; then they are handled as ever. The
 * lock is the connection's, and ends with it. Names have nothing to do with keys; each bucket and
 * each space has its own.
 *
 * UNLOCK. Request: no body. Gives up the connection's lock. Answer: no body. -ENOLCK: it has none.
 */
struct lock_request {
    uint32_t bucket;
    uint16_t name_length; /* as of a key */
    uint8_t space;        /* enum lock_space */
    uint8_t flags;        /* LOCK_NOW or 0 */
};
static_assert(sizeof(struct lock_request) == 8, "lock_request");

#define LOCK_NOW 1 /* only if there is nothing to wait for */

enum lock_space {
    LOCK_NAMED = 0, /* programs' own names */
    LOCK_ONCE = 1,  /* keys whose values are being computed (memstore_once) */
};
#define LOCK_SPACES 2

struct lock_answer {
    uint64_t token; /* a version: newer than all changes before, and older than all after */
};
static_assert(sizeof(struct lock_answer) == 8, "lock_answer");

/*
 * A metadata block is a run of entries: metadata_entry, name, value. Names ascend strictly, byte by
 * byte, so each comes once and equal metadata has equal bytes. No NUL in names, values and
 * content types.
 */
struct metadata_entry {
    uint16_t name_length;
    uint16_t value_length;
};
static_assert(sizeof(struct metadata_entry) == 4, "metadata_entry");

#endif
