#include "tests/raw_ring.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define RINGS_MAX 1024 /* descriptors beyond have no ring */
#define PATIENCE 15    /* seconds */
#define LOOKS 500      /* before it sleeps */
#define NAP 20         /* milliseconds between two looks whether the daemon has closed */

static struct raw_ring rings[RINGS_MAX];

/* ---- making ---- */

int raw_ring_file(void)
{
    return raw_memfd(MFD_ALLOW_SEALING, RING_FILE_SIZE, F_SEAL_SHRINK | F_SEAL_GROW);
}

struct ring_page *raw_ring_map(int memfd)
{
    void *file = mmap(NULL, RING_FILE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, memfd, 0);

    ck_assert_ptr_ne(file, MAP_FAILED);
    return file;
}

void raw_ring_request(int fd, const int *fds, size_t count, int status)
{
    struct frame_header header = raw_header(OPERATION_RING, 0);

    ck_assert(raw_send_fds(fd, &header, sizeof(header), fds, count));
    raw_expect_answer(fd, &header, status);
}

struct raw_ring *raw_ring_of(int fd)
{
    return fd >= 0 && fd < RINGS_MAX && rings[fd].page ? &rings[fd] : NULL;
}

void raw_ring_forget(int fd)
{
    struct raw_ring *ring = raw_ring_of(fd);

    if (!ring)
        return;
    munmap(ring->page, RING_FILE_SIZE);
    ring->page = NULL;
}

struct raw_ring *raw_ring_use(int fd, struct ring_page *page)
{
    ck_assert_int_lt(fd, RINGS_MAX);
    rings[fd] = (struct raw_ring){.page = page,
                                  .requests = (uint8_t *)page + RING_REQUESTS,
                                  .answers = (uint8_t *)page + RING_ANSWERS};
    return &rings[fd];
}

struct raw_ring *raw_ring_make(int fd)
{
    int memfd = raw_ring_file();

    raw_ring_request(fd, &memfd, 1, 0);
    ck_assert_uint_eq(raw_answer.length, 0);
    raw_ring_use(fd, raw_ring_map(memfd));
    /* The daemon would give back the memory of a bulk buffer that looks idle. */
    atomic_store(&rings[fd].page->bulk_use, RING_BULK_CLIENT);
    close(memfd);
    return &rings[fd];
}

int raw_open_ring(void)
{
    int fd = raw_open();

    if (!raw_ring_of(fd))
        raw_ring_make(fd);
    return fd;
}

/* ---- the daemon ---- */

bool raw_is_closed(int fd)
{
    char byte;
    ssize_t n = recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);

    ck_assert_msg(n <= 0, "the daemon sends something over the socket");
    return n == 0 || errno != EAGAIN;
}

void raw_ring_bell(int fd)
{
    ssize_t n = send(fd, "", 1, MSG_NOSIGNAL | MSG_DONTWAIT);

    ck_assert_msg(n == 1 || errno == EAGAIN || errno == EPIPE || errno == ECONNRESET, "bell: %s",
                  strerror(errno));
}

static void wake(int fd, uint32_t what)
{
    atomic_thread_fence(memory_order_seq_cst);
    if (atomic_load(&rings[fd].page->daemon_awaits) & what)
        raw_ring_bell(fd);
}

static void futex_wait(_Atomic uint32_t *word, uint32_t value)
{
    struct timespec nap = {.tv_nsec = NAP * 1000000};

    syscall(SYS_futex, word, FUTEX_WAIT, value, &nap, NULL, 0);
}

void raw_ring_sleep(int fd, uint32_t changes)
{
    struct ring_page *page = rings[fd].page;
    int64_t deadline = harness_now() + (int64_t)(harness_seconds(PATIENCE) * 1000);

    for (int i = 0; i < LOOKS; i++) {
        if (atomic_load(&page->changes) != changes)
            return;
        ring_pause();
    }
    atomic_store(&page->client_sleeps, 1);
    atomic_thread_fence(memory_order_seq_cst);
    while (atomic_load(&page->changes) == changes && !raw_is_closed(fd)) {
        ck_assert_msg(harness_now() < deadline, "nothing happens in the ring");
        futex_wait(&page->changes, changes);
    }
    atomic_store(&page->client_sleeps, 0);
}

/* ---- bytes ---- */

static void copy_in(uint8_t *circle, uint32_t position, const uint8_t *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++)
        circle[(position + i) % RING_SIZE] = bytes[i];
}

static void copy_out(const uint8_t *circle, uint32_t position, uint8_t *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++)
        bytes[i] = circle[(position + i) % RING_SIZE];
}

size_t raw_ring_put(int fd, const void *bytes, size_t length)
{
    struct raw_ring *ring = &rings[fd];
    uint32_t used = ring->end - atomic_load(&ring->page->requests_start);

    ck_assert_uint_le(used, RING_SIZE);
    if (length > RING_SIZE - used)
        length = RING_SIZE - used;
    copy_in(ring->requests, ring->end, bytes, length);
    ring->end += (uint32_t)length;
    atomic_store(&ring->page->requests_end, ring->end);
    if (length > 0)
        wake(fd, RING_AWAITS_REQUESTS);
    return length;
}

size_t raw_ring_take(int fd, void *bytes, size_t length)
{
    struct raw_ring *ring = &rings[fd];
    uint32_t there = atomic_load(&ring->page->answers_end) - ring->start;

    ck_assert_uint_le(there, RING_SIZE);
    if (length > there)
        length = there;
    copy_out(ring->answers, ring->start, bytes, length);
    ring->start += (uint32_t)length;
    atomic_store(&ring->page->answers_start, ring->start);
    if (length > 0)
        wake(fd, RING_AWAITS_ROOM);
    return length;
}

bool raw_ring_send(int fd, const void *bytes, size_t length)
{
    const uint8_t *rest = bytes;

    while (length > 0 && !raw_is_closed(fd)) {
        uint32_t changes = atomic_load(&rings[fd].page->changes);
        size_t n = raw_ring_put(fd, rest, length);

        rest += n;
        length -= n;
        if (n == 0)
            raw_ring_sleep(fd, changes);
    }
    return length == 0;
}

bool raw_ring_receive(int fd, void *bytes, size_t length)
{
    uint8_t *rest = bytes;

    while (length > 0) {
        uint32_t changes = atomic_load(&rings[fd].page->changes);
        bool closed = raw_is_closed(fd); /* then all it will ever put in is there */
        size_t n = raw_ring_take(fd, rest, length);

        rest += n;
        length -= n;
        if (n == 0 && closed)
            return false;
        if (n == 0)
            raw_ring_sleep(fd, changes);
    }
    return true;
}
