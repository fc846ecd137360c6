/*
 * Use marks: when objects of buckets that evict were read last.
 *
 * The file `marks` in the data folder is an array of 64-bit marks; how many is a power of two. A
 * hash of the key of an object's row says which one is its own. Whoever reads an object, the daemon
 * or a direct reader, writes the time there. That time is the store's version, which each change
 * moves, and behind it a count of uses in between. When an object was put is told by the version in
 * its record. Objects that share a mark lend each other their uses, and one of them may stay a
 * little longer than it should.
 *
 * Nothing that stands here is trusted: at worst another object is evicted than the one that was
 * used least recently.
 */
#ifndef MEMSTORE_MARKS_H
#define MEMSTORE_MARKS_H

#include <stddef.h>
#include <stdint.h>

#define MARKS_FILE "marks"
#define MARKS_SIZE_MIN (UINT32_C(64) << 10) /* bytes of the file */
#define MARKS_SIZE_MAX (UINT32_C(8) << 20)

#define MARK_USE_BITS 16
#define MARK(version, use) ((uint64_t)(version) << MARK_USE_BITS | (uint16_t)(use))

struct marks {
    _Atomic uint64_t *all; /* NULL: there are none */
    uint64_t count;
};

/* Maps the file. -EINVAL: it is not of a size that it can have. */
int marks_map(struct marks *marks, int fd);
void marks_unmap(struct marks *marks);

/* The mark of the object whose row has that key. There must be marks. */
_Atomic uint64_t *marks_find(const struct marks *marks, const void *row, size_t length);

#endif
