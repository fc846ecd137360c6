#include "boottime.h"

#include <time.h>

static int64_t read_clock(clockid_t clock)
{
    struct timespec now;

    clock_gettime(clock, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

int64_t boottime_now(void)
{
    return read_clock(CLOCK_BOOTTIME);
}

int64_t boottime_to_utc(int64_t time)
{
    return time == 0 ? 0 : time + (read_clock(CLOCK_REALTIME) - boottime_now());
}
