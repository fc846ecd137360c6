/*
 * Copies from and to memory that belongs to a client, and other uses of it. A page of it that the
 * kernel cannot provide is a SIGBUS for whoever touches it; here it is an error.
 */
#ifndef MEMSTORED_GUARD_H
#define MEMSTORED_GUARD_H

#include <stddef.h>

/* Sets the signal handler. Negative errno. */
int guard_start(void);

/* As memcpy. -EFAULT: a page was not to be had; how much was copied is unknown. */
int guard_copy(void *to, const void *from, size_t size);

/* Makes a call that touches such memory, and changes nothing else before it is through with it.
 * Returns what it returns; -EFAULT: a page was not to be had. */
int guard_call(int (*call)(void *context), void *context);

#endif
