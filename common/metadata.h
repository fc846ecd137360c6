/* The encoded form of an object's metadata (protocol.h, metadata_entry): checking and reading. */
#ifndef MEMSTORE_METADATA_H
#define MEMSTORE_METADATA_H

#include <stddef.h>
#include <stdint.h>

/* One pair of a block; the texts are not NUL-terminated. */
struct metadata_pair {
    const char *name;
    const char *value;
    size_t name_length;
    size_t value_length;
};

/* Reads the pair at *block and moves *block and *length behind it. Returns 1, 0 at the end of the
 * block, or -EINVAL if the block is cut off in the middle of a pair. */
int metadata_next(const uint8_t **block, size_t *length, struct metadata_pair *ret_pair);

/* Checks a whole block: pairs complete, names ascending strictly, no NULs. Returns the number of
 * pairs or -EINVAL. */
int metadata_check(const uint8_t *block, size_t length);

/* Byte-wise order of two strings, a prefix before what it begins: negative, 0 or positive. */
int metadata_compare(const char *a, size_t a_length, const char *b, size_t b_length);

#endif
