#include "bench/timing.h"

#include <stdlib.h>
#include <time.h>

static int64_t read_clock(clockid_t clock)
{
    struct timespec now;

    clock_gettime(clock, &now);
    return now.tv_sec * SECOND_NS + now.tv_nsec;
}

int64_t timing_now(void)
{
    return read_clock(CLOCK_MONOTONIC);
}

int64_t timing_cpu(void)
{
    return read_clock(CLOCK_PROCESS_CPUTIME_ID);
}

void timing_sleep(int64_t nanoseconds)
{
    struct timespec time = {.tv_sec = nanoseconds / SECOND_NS, .tv_nsec = nanoseconds % SECOND_NS};

    nanosleep(&time, NULL);
}

static int compare(const void *left, const void *right)
{
    double a = *(const double *)left, b = *(const double *)right;

    return (a > b) - (a < b);
}

void timing_sort(double *samples, unsigned count)
{
    qsort(samples, count, sizeof(*samples), compare);
}

double timing_at(const double *sorted, unsigned count, double part)
{
    double place = part * (count - 1);
    unsigned below = (unsigned)place;
    double step = place - below;

    return below + 1 < count ? sorted[below] + step * (sorted[below + 1] - sorted[below])
                             : sorted[below];
}

struct spread timing_spread(double *samples, unsigned count)
{
    if (count == 0)
        return (struct spread){0};
    timing_sort(samples, count);
    return (struct spread){.median = timing_at(samples, count, 0.5),
                           .low = timing_at(samples, count, 0.25),
                           .high = timing_at(samples, count, 0.75)};
}
