/* What is aimed at, as ratios of measurements of this run. */
#ifndef BENCH_TARGETS_H
#define BENCH_TARGETS_H

#include "bench/results.h"

struct target {
    const char *group; /* for people */
    char text[96];
    bool at_least; /* the ratio is to be the bound or more; else the bound or less */
    double bound;
    bool is_known; /* false: a contestant is absent */
    struct spread ratio;
    bool is_met;
};

#define TARGETS_MAX 96

/* Works out all targets; returns how many. */
size_t targets_evaluate(struct target ret_targets[TARGETS_MAX]);

#endif
