/* How calls that outlive a daemon look for the next one. */
#ifndef MEMSTORE_RETRY_H
#define MEMSTORE_RETRY_H

#include "deadline.h"

#include <stdbool.h>

#define RETRY_INTERVAL_MS 20

/* Lets a moment pass. Returns whether the deadline leaves time for one more try. */
static inline bool retry_pause(int64_t deadline)
{
    const int64_t interval = RETRY_INTERVAL_MS * INT64_C(1000000);
    const struct timespec pause = deadline_timespec(interval);

    if (deadline_left(deadline) < interval)
        return false;
    nanosleep(&pause, NULL);
    return true;
}

#endif
