/* Time, and what repeated measurements of it say. */
#ifndef BENCH_TIMING_H
#define BENCH_TIMING_H

#include <stdint.h>

#define MICROSECOND_NS 1000LL
#define MILLISECOND_NS 1000000LL
#define SECOND_NS 1000000000LL

/* Nanoseconds of the monotonic clock. */
int64_t timing_now(void);

/* Nanoseconds of processor time that this process has used. */
int64_t timing_cpu(void);

void timing_sleep(int64_t nanoseconds);

/* Sorts samples. */
void timing_sort(double *samples, unsigned count);

/* The sample below which that part of sorted ones is; between two of them where need be. */
double timing_at(const double *sorted, unsigned count, double part);

/* Samples of the same thing: the middle one, and the quartiles around it. */
struct spread {
    double median, low, high;
};

/* Sorts them. */
struct spread timing_spread(double *samples, unsigned count);

#endif
