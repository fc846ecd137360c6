/* The etag of a value: XXH3-128 in its canonical form (https://github.com/Cyan4973/xxHash). */
#ifndef MEMSTORED_ETAG_H
#define MEMSTORED_ETAG_H

#include "record.h"

/* Copies a value to its place and computes its etag on the way, from the copy: the source may
 * be shared memory that changes meanwhile, so it is read once. -ENOMEM; -EFAULT: the source
 * cannot be read. */
int etag_copy(uint8_t *place, const void *value, size_t size, uint8_t ret_etag[ETAG_BYTES]);

#endif
