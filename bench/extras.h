/* Calls that memstore alone has: buckets, lifetimes, waiting. */
#ifndef BENCH_EXTRAS_H
#define BENCH_EXTRAS_H

#include "bench/subject.h"

/* Makes a bucket and drops it. */
operation extra_bucket;

/* A put with a lifetime. */
operation extra_put_ttl;

/* Wakes a process that waits for an object, and is woken by that one in turn. */
operation extra_wake;

/* The process that extra_wake wakes, with a handle of its own. */
pid_t extra_waiter_start(const char *socket);

#endif
