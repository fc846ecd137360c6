#include "bulk.h"

#include "common/protocol.h"
#include "memfd.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

void bulk_init(struct bulk *bulk)
{
    *bulk = (struct bulk){.fd = -1};
}

void bulk_finish(struct bulk *bulk)
{
    if (bulk->data)
        munmap(bulk->data, bulk->size);
    if (bulk->fd >= 0)
        close(bulk->fd);
    bulk_init(bulk);
}

static int bulk_create(struct bulk *bulk)
{
    int fd = memfd_make("memstore-bulk");
    int r;

    if (fd < 0)
        return fd;
    if (fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK) < 0) {
        r = -errno;
        close(fd);
        return r;
    }
    bulk->fd = fd;
    return 0;
}

/* The size to grow to: doubled, so that a value that grows by pieces moves seldom. */
static uint64_t bulk_next_size(const struct bulk *bulk, uint64_t needed, uint64_t most)
{
    uint64_t size = bulk->size > 0 ? bulk->size * 2 : BULK_INITIAL;

    if (size < needed)
        size = (needed + 65535) / 65536 * 65536;
    return size < most ? size : most;
}

static int bulk_map(struct bulk *bulk, uint64_t size)
{
    void *data;

    if (size > SIZE_MAX)
        return -ENOMEM;
    if (bulk->data)
        data = mremap(bulk->data, bulk->size, size, MREMAP_MAYMOVE);
    else
        data = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, bulk->fd, 0);
    if (data == MAP_FAILED)
        return -errno;
    bulk->data = data;
    bulk->size = size;
    return 0;
}

static uint64_t bulk_most(void)
{
    uint64_t most = memfd_most();

    return most < BULK_MAX ? most : BULK_MAX;
}

int bulk_reserve(struct bulk *bulk, uint64_t size)
{
    uint64_t most, next;
    int r;

    if (bulk->data && size <= bulk->size)
        return 0;
    most = bulk_most();
    if (size > most || most == 0)
        return -EFBIG;
    if (bulk->fd < 0) {
        r = bulk_create(bulk);
        if (r < 0)
            return r;
    }
    next = bulk_next_size(bulk, size, most);
    if (next > bulk->file_size) {
        if (ftruncate(bulk->fd, (off_t)next) < 0)
            return -errno;
        bulk->file_size = next;
    }
    return bulk_map(bulk, next);
}

void bulk_trim(struct bulk *bulk, uint64_t kept, uint64_t used)
{
    /* If this fails, memory stays in use that could have been free: no reason to fail a call. */
    if (used > kept)
        fallocate(bulk->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)kept,
                  (off_t)(used - kept));
}
