/* Calls that memstore alone has: buckets, lifetimes, waiting. */
#ifndef BENCH_EXTRAS_H
#define BENCH_EXTRAS_H

#include "bench/client.h"
#include "bench/subject.h"

/* Makes a bucket and drops it. */
operation extra_bucket;

/* A put with a lifetime. */
operation extra_put_ttl;

/* A put of another object each time into a full bucket, which evicts; the connection is to be
 * extra_open_full's. */
operation extra_put_lru;
struct client *extra_open_full(const char *socket);

/* Uses an object of a bucket that evicts, as a cache does: gets it, or puts it if it is not there.
 * Returns whether it was. */
bool extra_cache_use(struct client *client, uint32_t number);

/* Makes a bucket for so many objects, and a handle on it. */
struct client *extra_open_cache(const char *socket, const char *bucket, uint64_t objects);

/* Wakes a process that waits for an object, and is woken by that one in turn. */
operation extra_wake;

/* The process that extra_wake wakes, with a handle of its own. */
pid_t extra_waiter_start(const char *socket);

#endif
