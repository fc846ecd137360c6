/*
 * Buckets: what their names may be, and their rows in the store. A row's key is the bucket's id.
 * The row is there as long as the bucket is: who reads the store in place sees by it that a bucket
 * was dropped, also while the rows of its objects are still being removed.
 */
#ifndef MEMSTORE_BUCKET_H
#define MEMSTORE_BUCKET_H

#include "protocol.h"

#include <stddef.h>
#include <stdint.h>

/* Ids begin here, are given out in order, and never again. Rows of objects have 31 bits for them.
 */
#define DEFAULT_BUCKET 1
#define BUCKET_ID_MAX 0x7fffffffU

struct bucket {
    struct bucket_settings settings;
    uint32_t owner; /* the client that it ends with; 0: none */
    uint32_t reserved;
    uint32_t place; /* of its counters */
    uint32_t name_length;
    char name[BUCKET_NAME_MAX];
};
static_assert(sizeof(struct bucket) == 112, "bucket");

/* Whether a bucket can have that name. -EINVAL: it is empty, or has other characters than letters,
 * digits, '.', '_' and '-'; -ENAMETOOLONG. */
int bucket_name_check(const char *name, size_t length);

#endif
