/*
 * Direct reads: a session of this process with the store's shared memory, and how a handle uses it.
 *
 * A session has a connection of its own, over which nothing goes after its start: while it is open,
 * the daemon keeps what the session's pin table names (common/pins.h); when it closes, with the
 * process at the latest, all of that is free. A handle makes a session at its first read and
 * another one when the daemon is gone or another store is there. Whatever does not work out: the
 * daemon is asked instead.
 */
#ifndef MEMSTORE_DIRECT_H
#define MEMSTORE_DIRECT_H

#include "common/marks.h"
#include "environment.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

struct direct;
struct memstore;

#define STRIPES 64

/*
 * A direct read under way. Between reads it lies ready in one of its handle's stripes, with its
 * read transaction: a thread takes it out, and nobody else has to know.
 */
struct direct_read {
    struct direct *session; /* which it keeps */
    struct reading reading;
    uint32_t bucket;
    uint64_t moved;         /* session_moved() when it last looked at the bucket's row; 0: never */
    struct marks marks;     /* of a bucket that evicts; else none. They are the session's */
    bool ended;             /* the snapshot is */
    _Atomic uint64_t count; /* reads made; only its user writes */
    unsigned counts;        /* where it counts for the daemon, too (pins.h) */
    struct direct_read *next; /* in the handle's list of all */
};

/* Where threads find a read that lies ready, each on a cache line of its own. */
struct stripe {
    _Alignas(64) _Atomic(struct direct_read *) read;
};

/* A handle's part. */
struct direct_reads {
    struct stripe stripes[STRIPES];
    pthread_mutex_t mutex; /* for what follows, none of which is in a read's common path */
    _Atomic(struct direct *) session; /* NULL: none yet, or none to be had */
    struct direct_read *all;
    uint64_t count;         /* reads made by reads that are gone */
    _Atomic int64_t retry;  /* when to try again to get a session; nanoseconds, coarse */
    _Atomic uint64_t asked; /* reads for which the daemon was asked */
};

void direct_init(struct direct_reads *reads);

/* Ends the handle's sessions; views that are held keep theirs. */
void direct_finish(struct direct_reads *reads);

/* Forgets the parent's sessions, in a forked child. */
void direct_forget(struct direct_reads *reads);

/* Around a fork: a child that inherits views gets a session of its own for them. */
void direct_before_fork(void);
void direct_after_fork_in_parent(void);
void direct_after_fork_in_child(void);

/* The daemon answered the handle. If it is another one, the next read has to notice. */
void direct_suspect(struct direct_reads *reads);

/* A read asked the daemon without a try. */
void direct_note_asked(struct direct_reads *reads);

/* Reads that were direct so far. */
uint64_t direct_count(struct direct_reads *reads);

/*
 * Begins a direct read. -EAGAIN: ask the daemon; -EOPNOTSUPP: the handle must not; -ENXIO: its
 * bucket was dropped; for these two the message is set.
 */
int direct_begin(struct memstore *store, struct direct_read **ret_read);
void direct_end(struct memstore *store, struct direct_read *read);

/* Finds an object, as reading_find, and counts that for the daemon. */
int direct_find(struct direct_read *read, const void *key, size_t key_length,
                struct record *ret_record);

/* The read has found an object, which is not what was used least recently then. `lasts`: it will
 * be used beyond the read. */
void direct_note_use(struct direct_read *read, const void *key, size_t key_length, bool lasts);

static inline void direct_use(struct direct_read *read, const void *key, size_t key_length,
                              bool lasts)
{
    if (read->marks.all)
        direct_note_use(read, key, key_length, lasts);
}

/* Ends the snapshot only, before the read. */
void direct_end_snapshot(struct direct_read *read);

/* Whether a direct read's result is the call's; otherwise the daemon is to be asked. */
bool direct_is_final(int result);

/* A pin: keeps a blob that the snapshot knows, beyond the end of the snapshot. */
struct pin {
    struct direct *session; /* NULL: none */
    unsigned slot;
};

/* -ENOSPC: the pin table is full. The pin keeps the session too. */
int direct_pin(struct direct_read *read, uint64_t blob, struct pin *ret_pin);
void direct_unpin(struct pin *pin);

#endif
