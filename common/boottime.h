/*
 * The clock of lifetimes, CLOCK_BOOTTIME: nobody can set it, and it goes on while the machine
 * sleeps. All processes of a machine see the same one, but for those of another time namespace.
 */
#ifndef MEMSTORE_BOOTTIME_H
#define MEMSTORE_BOOTTIME_H

#include <stdint.h>

/* Microseconds since the machine's start. */
int64_t boottime_now(void);

/* Such a time as microseconds since 1970 (UTC), as the date is set now; 0, never, stays 0. */
int64_t boottime_to_utc(int64_t time);

#endif
