/* A handle: what memstore_open gives, and how each call on it has its turn. */
#ifndef MEMSTORE_HANDLE_H
#define MEMSTORE_HANDLE_H

#include "channel.h"
#include "direct.h"
#include "memstore.h"
#include "pool.h"
#include "turns.h"

struct memstore {
    char *socket;             /* path */
    struct identity identity; /* of the bucket */
    int timeout;              /* milliseconds of each call */
    enum memstore_reads reads;
    enum memstore_calls calls;
    _Atomic unsigned generation; /* the process that the connection belongs to */
    struct turns turns;
    struct channel channel;
    struct channel owner;   /* what is ephemeral ends with it; not connected before there is any */
    struct channel *called; /* by the call whose turn it is */
    struct pool pool;
    struct direct_reads direct;
};

/*
 * Reads caller's options of any version into ours, whose size is given: members that the caller
 * does not have become 0, and those that we do not have must be 0. -EINVAL; the message is set.
 */
int options_read(void *ours, size_t size, const void *callers);

/* In a forked child: leaves the parent's connections alone, and starts with none. */
void handle_adopt_if_forked(struct memstore *store);

/* Checks a key. -ENAMETOOLONG, -EINVAL (NULL and a length); the message is set. */
int key_check(const void *key, size_t length);

/* Checks a bucket's name. -EINVAL, -ENAMETOOLONG; the message is set. */
int bucket_check(const char *name);

/* Waits for the caller's turn. -ETIMEDOUT; the message is set. */
int handle_take_turn(struct memstore *store, int64_t deadline);

/* Ends the caller's turn, after the daemon was asked. */
void handle_pass_turn(struct memstore *store);

/*
 * Waits for the caller's turn, and makes the call. Returns 0 when there is an answer, whatever its
 * status: then handle_done must follow. Otherwise a negative errno; the message is set.
 */
int handle_call(struct memstore *store, struct request *request, struct answer *ret_answer);

/* Drops the answer and ends the turn. result: as with channel_done. */
int handle_done(struct memstore *store, const struct answer *answer, int result);

#endif
