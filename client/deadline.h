/* Deadlines: nanoseconds of CLOCK_MONOTONIC, which no change of the date moves. */
#ifndef MEMSTORE_DEADLINE_H
#define MEMSTORE_DEADLINE_H

#include <stdint.h>
#include <time.h>

#define NANOSECONDS INT64_C(1000000000) /* of a second */

static inline int64_t deadline_now(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * NANOSECONDS + now.tv_nsec;
}

static inline int64_t deadline_in(int milliseconds)
{
    return deadline_now() + milliseconds * INT64_C(1000000);
}

static inline struct timespec deadline_timespec(int64_t nanoseconds)
{
    return (struct timespec){.tv_sec = nanoseconds / NANOSECONDS,
                             .tv_nsec = nanoseconds % NANOSECONDS};
}

/* Nanoseconds until the deadline; 0 if it has passed. */
static inline int64_t deadline_left(int64_t deadline)
{
    int64_t left = deadline - deadline_now();

    return left > 0 ? left : 0;
}

#endif
