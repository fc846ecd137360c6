/* Several processes that call at once, for a slice of time. */
#ifndef BENCH_WORKERS_H
#define BENCH_WORKERS_H

#include "bench/results.h"

struct group {
    struct row row; /* so many processes make its call; of a percentile, one, that makes a call a
                       millisecond; and one more puts, if there is a writer */
    int subject;
    const struct keys *keys;
    const struct keys *writer_keys; /* NULL: the same */
    int64_t duration_ns;
};

/* Adds a sample to the row, or to the rows of all percentiles. */
void workers_run(const struct group *group);

#endif
