/* A memstored of one's own, besides the one that takes part in the comparison. */
#ifndef BENCH_DAEMON_H
#define BENCH_DAEMON_H

#include "bench/run.h"

#include <sys/types.h>

struct daemon {
    pid_t pid;
    char socket[RUN_PATH];
    int64_t start_ns; /* from the fork to its word that it is ready */
};

/* Starts it, with an empty store; the name tells it from others. */
void daemon_start(struct daemon *daemon, const char *name);

/* Ends it, and its store. */
void daemon_stop(struct daemon *daemon);

#endif
