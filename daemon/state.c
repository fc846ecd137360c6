#include "state.h"

#include "common/state.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stddef.h>
#include <sys/mman.h>
#include <unistd.h>

int state_open(int folder, struct state_page **ret_page)
{
    int fd = openat(folder, STATE_NAME, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    void *map = MAP_FAILED;
    int r = 0;

    if (fd < 0)
        return -errno;
    /* With its memory: nobody must meet a full tmpfs in the map. */
    if (fallocate(fd, 0, 0, STATE_SIZE) == 0)
        map = mmap(NULL, STATE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (map == MAP_FAILED)
        r = -errno;
    close(fd);
    if (r < 0)
        return r;
    *ret_page = map;
    state_move_buckets(*ret_page); /* what an earlier daemon may not have come to */
    return 0;
}

void state_close(struct state_page *page)
{
    if (page)
        munmap(page, STATE_SIZE);
}

void state_move_buckets(struct state_page *page)
{
    atomic_fetch_add_explicit(&page->buckets, 1, memory_order_release);
}

static void set(_Atomic uint64_t *place, uint64_t value)
{
    if (atomic_load_explicit(place, memory_order_relaxed) != value)
        atomic_store_explicit(place, value, memory_order_release);
}

void state_tell(struct state_page *page, uint64_t version, uint64_t marks)
{
    set(&page->marks, marks);
    set(&page->version, version);
}
