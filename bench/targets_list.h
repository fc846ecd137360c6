/* How targets are written down: a ratio of what was measured, and its bound. */
#ifndef BENCH_TARGETS_LIST_H
#define BENCH_TARGETS_LIST_H

#include "bench/targets.h"

/* factor x what a subject has in a row. */
struct term {
    struct row row;
    int subject;   /* NOBODY: the factor alone */
    double factor; /* 0: nothing */
};

#define NOBODY (-1)

struct targets {
    struct target *list;
    size_t count;
    const char *group; /* of those that are added */
};

struct term term(struct row row, int subject);
struct term times(double factor, struct row row, int subject);

/* A number: of nanoseconds, bytes, or what else the row above it is in. */
struct term constant(double number);

/* Adds the ratio of `above` to `below`, round by round, with its name. */
struct target *targets_add(struct targets *targets, struct term above, struct term below,
                           const char *format, ...) __attribute__((format(printf, 4, 5)));

/* Adds the ratio to a sum. */
struct target *targets_add_sum(struct targets *targets, struct term above,
                               const struct term below[2], const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* The target's bound. */
void at_most(struct target *target, double bound);
void at_least(struct target *target, double bound);

/* The targets of these. */
void targets_of_reads(struct targets *targets);
void targets_of_changes(struct targets *targets);
void targets_of_extras(struct targets *targets);
void targets_of_growth(struct targets *targets);

#endif
