/*
 * Whoever takes part in the comparison: memstore in two ways, raw LMDB, the servers that people
 * would use instead, and the bare things that bound them all.
 */
#ifndef BENCH_SUBJECT_H
#define BENCH_SUBJECT_H

#include "bench/keys.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* What is measured. */
enum call {
    CALL_GET,  /* the value as a copy of the caller's own */
    CALL_VIEW, /* the value in place */
    CALL_EXISTS,
    CALL_INFO,
    CALL_LIST, /* LIST_LENGTH objects after a key */
    CALL_OPEN, /* a connection, and the first get on it */
    CALL_PUT,
    CALL_COPY,
    CALL_MOVE, /* to the key's twin */
    CALL_DELETE,
    CALL_BATCH,         /* BATCH_LENGTH puts; its time is that of one of them */
    CALL_BUCKET,        /* one is made, and dropped */
    CALL_PUT_TTL,       /* with a lifetime */
    CALL_PUT_LRU,       /* into a full bucket, which evicts */
    CALL_WAKE,          /* a process that waits, and be woken by it */
    CALL_BENCHMARK,     /* redis-benchmark's own puts */
    CALL_START,         /* of a daemon, up to its word that it is ready */
    CALL_OWN_MEMORY,    /* of a daemon with an empty store */
    CALL_CLIENT_MEMORY, /* the daemon's, for each client */
    CALL_OBJECT_MEMORY, /* the store's, for each object */
    CALL_IDLE_DAEMON,   /* processor time while nothing is asked: the daemon's */
    CALL_IDLE_CLIENTS,  /* and that of all clients */
    CALL_MIX,           /* mostly gets, and MIX_PUTS puts in 100 calls */
    CALL_HITS,          /* of gets from a bucket that evicts: their share */
    CALL_SCAN_HITS,     /* the same after many keys that come once */
    CALL_ECHO,
    CALL_LRU_HITS,       /* what CALL_HITS has where it is known exactly what was used last */
    CALL_LRU_SCAN_HITS,  /* and CALL_SCAN_HITS */
    CALL_CLOCK,          /* the time, as calls that are timed one by one look at it */
    CALL_MEMCPY,         /* what a get costs at least */
    CALL_MEMCPYS,        /* what a put does: into a buffer, and from there */
    CALL_MEMCPYS_CACHED, /* the same, within the cache */
    CALL_COUNT,
};

#define LIST_LENGTH 1000
#define ECHO_BYTES 64
#define BATCH_LENGTH 100
#define MIX_PUTS 10

/* How many objects a call is about. */
unsigned call_weight(enum call call);

/* A call, on a connection, of an object whose value has that many bytes. It ends the run when the
 * outcome is not the one that it should be. */
typedef void operation(void *connection, const struct key *key, uint32_t size);

struct subject {
    const char *name;     /* for people */
    const char *id;       /* for programs */
    const char *needs;    /* the program that must be installed; NULL: none */
    pid_t (*start)(void); /* its server, and returns which process it is; 0 or NULL: none */
    void *(*open)(bool writes);
    void (*close)(void *connection);
    void (*fill)(const struct objects *objects); /* puts them, fast */
    operation *calls[CALL_COUNT];                /* NULL: it has no such call */
    operation *before[CALL_COUNT];               /* what a call needs first; not timed */
    operation *after[CALL_COUNT];                /* what it leaves to do; not timed */
};

enum {
    SUBJECT_MEMSTORE,
    SUBJECT_SOCKET,
    SUBJECT_RAW,
    SUBJECT_REDIS,
    SUBJECT_MEMCACHED,
    SUBJECT_ECHO,
    SUBJECT_MEMCPY, /* and whatever else others are measured by in this process */
    SUBJECT_COUNT,
};

extern const struct subject subject_memstore, subject_socket, subject_raw, subject_redis,
    subject_memcached, subject_echo, subject_memcpy;

extern const struct subject *const subjects[SUBJECT_COUNT];

/* Starts the servers. Those that are not installed are absent from then on. */
void subjects_start(void);

bool subject_is_present(int subject);

/* Gives the servers an end and a new start: their stores are empty then. */
void subjects_restart(void);

/* Lets this process run on one core, and all servers on the same one or on one other. 0: on any. */
void subjects_place(unsigned cores);

/* Starts a process that CALL_WAKE wakes. */
pid_t subject_start_waiter(void);

/* A connection for CALL_PUT_LRU, and one to a bucket that holds so many objects. */
struct client;
struct client *subject_open_full(void);
struct client *subject_open_cache(const char *bucket, uint64_t objects);

/* Something of a value that was read: what nobody looks at, a compiler may leave out. */
extern volatile uint8_t subject_seen;

#endif
