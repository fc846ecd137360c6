/* How long each of many calls took, and the percentiles of that. */
#ifndef BENCH_DURATIONS_H
#define BENCH_DURATIONS_H

#include "bench/results.h"

#define DURATIONS_MAX (1U << 18)

struct durations {
    unsigned count;
    double ns[DURATIONS_MAX];
};

void durations_clear(struct durations *durations);

/* Returns false when there is no more room. */
bool durations_add(struct durations *durations, double ns);

/* Adds the percentiles to the rows that differ from this one in that only. */
void durations_report(struct durations *durations, const struct row *row, int subject);

/* The percentiles that are reported, in tenths of a percent, and a 0. */
extern const unsigned durations_percentiles[];

#endif
