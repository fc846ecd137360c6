/* The etag of a value: XXH3-128 in its canonical form (https://github.com/Cyan4973/xxHash). */
#ifndef MEMSTORED_ETAG_H
#define MEMSTORED_ETAG_H

#include "record.h"

/* Copies a value to its place and computes its etag on the way, from the copy: the source may
 * be shared memory that changes meanwhile, so it is read once. -ENOMEM; -EFAULT: the source
 * cannot be read. */
int etag_copy(uint8_t *place, const void *value, size_t size, uint8_t ret_etag[ETAG_BYTES]);

/* The same piece by piece, from the start of the value to its end. */
struct etag {
    void *state; /* NULL: none */
};

/* -ENOMEM. */
int etag_init(struct etag *etag);
void etag_finish(struct etag *etag);

/* Copies the next bytes of the value to their place. After -EFAULT it is of no more use. */
int etag_add(struct etag *etag, uint8_t *place, const void *value, size_t size);

/* The etag of what was added so far. */
void etag_read(const struct etag *etag, uint8_t ret_etag[ETAG_BYTES]);

#endif
