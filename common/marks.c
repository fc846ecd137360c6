#include "marks.h"

#include <errno.h>
#include <sys/mman.h>
#include <sys/stat.h>

/* The library is not to need libxxhash where it runs. */
#define XXH_INLINE_ALL
#include <xxhash.h>

int marks_map(struct marks *marks, int fd)
{
    struct stat file;
    void *map;

    if (fstat(fd, &file) < 0)
        return -errno;
    if (file.st_size < MARKS_SIZE_MIN || file.st_size > MARKS_SIZE_MAX ||
        (file.st_size & (file.st_size - 1)) != 0)
        return -EINVAL;
    map = mmap(NULL, (size_t)file.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (map == MAP_FAILED)
        return -errno;
    *marks = (struct marks){.all = map, .count = (uint64_t)file.st_size / sizeof(*marks->all)};
    return 0;
}

void marks_unmap(struct marks *marks)
{
    if (marks->all)
        munmap((void *)(uintptr_t)marks->all, marks->count * sizeof(*marks->all));
    *marks = (struct marks){0};
}

_Atomic uint64_t *marks_find(const struct marks *marks, const void *row, size_t length)
{
    return &marks->all[XXH3_64bits(row, length) & (marks->count - 1)];
}
