/* How much memory there is for this process. */
#ifndef MEMSTORED_MEMORY_H
#define MEMSTORED_MEMORY_H

#include <stdint.h>

/* Bytes: the machine's, or the limit of the control group where that is less (cgroup v2). */
uint64_t memory_total(void);

#endif
