/*
 * Use marks: when objects of buckets that evict were read last.
 *
 * The file `marks` in the data folder is an array of 64-bit marks; how many is a power of two,
 * which the state page tells (state.h). A hash of bucket and key says which one is an object's.
 * Whoever reads an object, the daemon or a direct reader, writes the time there: the store's
 * version, which each change moves, and behind it a count of uses in between. When an object was
 * put is told by the version in its record. Objects that share a mark lend each other their uses,
 * and one of them may stay a little longer than it should.
 *
 * Nothing that stands here is trusted: at worst another object is evicted than the one that was
 * used least recently.
 */
#ifndef MEMSTORE_MARKS_H
#define MEMSTORE_MARKS_H

#include <stddef.h>
#include <stdint.h>

#define MARKS_NAME "marks"
#define MARKS_SIZE_MIN (UINT32_C(64) << 10) /* bytes of the file, if there is something in it */
#define MARKS_SIZE_MAX (UINT32_C(8) << 20)

#define MARK_USE_BITS 16
#define MARK(version, use) ((uint64_t)(version) << MARK_USE_BITS | (uint16_t)(use))
#define MARK_VERSION(mark) ((mark) >> MARK_USE_BITS)

struct marks {
    _Atomic uint64_t *all; /* NULL: there are none */
    uint64_t count;
};

/* Maps the file, as large as it can become; how many marks there are is not known yet. */
int marks_map(struct marks *marks, int fd);
void marks_unmap(struct marks *marks);

/* Whether there can be so many. */
static inline int marks_count_is_sound(uint64_t count)
{
    return count >= MARKS_SIZE_MIN / sizeof(uint64_t) &&
           count <= MARKS_SIZE_MAX / sizeof(uint64_t) && (count & (count - 1)) == 0;
}

/* The mark of an object. There must be marks. */
_Atomic uint64_t *marks_find(const struct marks *marks, uint32_t bucket, const void *key,
                             size_t length);

#endif
