#include "marks.h"

#include <errno.h>
#include <sys/mman.h>

/* The library is not to need libxxhash where it runs. */
#define XXH_INLINE_ALL
#include <xxhash.h>

int marks_map(struct marks *marks, int fd)
{
    void *map = mmap(NULL, MARKS_SIZE_MAX, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

    if (map == MAP_FAILED)
        return -errno;
    *marks = (struct marks){.all = map};
    return 0;
}

void marks_unmap(struct marks *marks)
{
    if (marks->all)
        munmap((void *)(uintptr_t)marks->all, MARKS_SIZE_MAX);
    *marks = (struct marks){0};
}

_Atomic uint64_t *marks_find(const struct marks *marks, uint32_t bucket, const void *key,
                             size_t length)
{
    return &marks->all[XXH3_64bits_withSeed(key, length, bucket) & (marks->count - 1)];
}
