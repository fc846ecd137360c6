#include "bulk.h"

#include "closer.h"
#include "protocol.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

/* Transfers beyond this leave page tables that are worth dropping: 8 bytes for each 4 KiB. */
#define FORGET_MIN (16U << 20)

void bulk_init(struct bulk *bulk)
{
    *bulk = (struct bulk){.fd = -1};
}

void bulk_finish(struct bulk *bulk)
{
    if (bulk->map)
        munmap(bulk->map, bulk->size);
    if (bulk->fd >= 0)
        closer_close(bulk->fd);
    bulk_init(bulk);
}

/* The size that can be relied on: files that can shrink, or pages that may be missing (hugetlb),
 * would mean SIGBUS. Only memfds carry seals, on shmem or hugetlbfs. */
static int safe_size(int fd, uint64_t *ret_size)
{
    int seals = fcntl(fd, F_GET_SEALS);
    struct statfs system;
    struct stat info;

    if (seals < 0 || !(seals & F_SEAL_SHRINK) || (seals & F_SEAL_WRITE))
        return -EINVAL;
    if (fstatfs(fd, &system) < 0 || system.f_type != TMPFS_MAGIC)
        return -EINVAL;
    if (fstat(fd, &info) < 0 || info.st_size <= 0)
        return -EINVAL;
    *ret_size = (uint64_t)info.st_size < BULK_MAX ? (uint64_t)info.st_size : BULK_MAX;
    return 0;
}

int bulk_attach(struct bulk *bulk, int fd)
{
    uint64_t size;
    void *map;
    int r = bulk->fd >= 0 ? -EALREADY : safe_size(fd, &size);

    if (r < 0)
        goto fail;
    map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, fd, 0);
    if (map == MAP_FAILED) {
        r = errno == ENOMEM ? -ENOMEM : -EINVAL;
        goto fail;
    }
    *bulk = (struct bulk){.fd = fd, .map = map, .size = size};
    return 0;

fail:
    closer_close(fd); /* it may be anything */
    return r;
}

/* The client may have made the file longer since. */
static int bulk_follow(struct bulk *bulk)
{
    uint64_t size;
    void *map;
    int r = safe_size(bulk->fd, &size);

    if (r < 0 || size <= bulk->size)
        return -EINVAL;
    map = mremap(bulk->map, bulk->size, size, MREMAP_MAYMOVE);
    if (map == MAP_FAILED)
        return -ENOMEM;
    bulk->map = map;
    bulk->size = size;
    return 0;
}

static int is_inside(const struct bulk *bulk, uint64_t offset, uint64_t length)
{
    return offset <= bulk->size && length <= bulk->size - offset;
}

int bulk_part(struct bulk *bulk, uint64_t offset, uint64_t length, uint8_t **ret_part)
{
    int r;

    if (bulk->fd < 0 || offset > BULK_MAX || length > BULK_MAX - offset)
        return -EINVAL;
    if (!is_inside(bulk, offset, length)) {
        r = bulk_follow(bulk);
        if (r < 0)
            return r;
        if (!is_inside(bulk, offset, length))
            return -EINVAL;
    }
    if (offset + length > bulk->touched)
        bulk->touched = offset + length;
    *ret_part = bulk->map + offset;
    return 0;
}

void bulk_release(struct bulk *bulk, uint64_t share)
{
    uint64_t from = bulk->touched > share ? bulk->touched - share : 0;

    /* If this fails, the memory stays in use: no harm but to its owner. */
    fallocate(bulk->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)from,
              (off_t)(bulk->touched - from));
    bulk->touched = from;
}

void bulk_forget(struct bulk *bulk, uint64_t offset, uint64_t length)
{
    uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
    uint64_t from = (offset + page - 1) / page * page;
    uint64_t to = (offset + length) / page * page;

    if (length >= FORGET_MIN && from < to)
        madvise(bulk->map + from, to - from, MADV_DONTNEED);
}
