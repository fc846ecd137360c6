#include "ringing.h"

#include "channel_private.h"
#include "deadline.h"
#include "memfd.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#define SPIN 50000        /* nanoseconds to look before sleeping */
#define SPIN_WOKEN 100000 /* the same where the daemon slept, and needs a moment to wake up */
#define LOOKS 8           /* between two looks at the clock */

/* Nanoseconds of sleep after which we look whether the daemon is still there: it cannot wake us
 * when it has died. */
#define SLEEP_MAX (NANOSECONDS / 20)

/* ---- making ---- */

static int ring_file(int *ret_fd)
{
    int fd = memfd_most() < RING_FILE_SIZE ? -EFBIG : memfd_make("memstore-ring");
    int r;

    if (fd < 0)
        return fd;
    if (ftruncate(fd, RING_FILE_SIZE) < 0 ||
        fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0) {
        r = -errno;
        close(fd);
        return r;
    }
    *ret_fd = fd;
    return 0;
}

/* Asks the daemon to take it. */
static int ring_hand_over(struct channel *channel, int fd, int64_t deadline)
{
    const struct frame_header header = {.operation = OPERATION_RING, .id = ++channel->last_id};
    const struct expected expected = {.operation = OPERATION_RING, .id = header.id};
    struct answer answer;
    int r;

    if (!connection_queue(&channel->connection, &header, 0))
        return 1;
    channel->connection.passing_fds[0] = fd;
    channel->connection.passing = 1;
    r = channel_await(channel, &expected, deadline, &answer);
    if (r < 0)
        return r;
    connection_consume(&channel->connection, &answer.frame);
    if (connection_unread(&channel->connection) > 0)
        return -EPROTO; /* nothing else was asked for */
    return answer.status < 0 ? 1 : 0;
}

int ringing_attach(struct channel *channel, int64_t deadline)
{
    void *file;
    int fd = -1;
    int r = 1;

    if (ring_file(&fd) < 0)
        return 1;
    file = mmap(NULL, RING_FILE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (file != MAP_FAILED) {
        if (channel->holds_bulk)
            ((struct ring_page *)file)->bulk_use = RING_BULK_CLIENT;
        r = ring_hand_over(channel, fd, deadline);
    }
    close(fd);
    if (r == 0)
        connection_use_ring(&channel->connection, file, false);
    else if (file != MAP_FAILED)
        munmap(file, RING_FILE_SIZE);
    return r;
}

/* ---- waking and waiting ---- */

int ringing_wake(struct channel *channel, uint32_t what)
{
    struct ring_page *page = channel->connection.ring.page;
    int r;

    atomic_store_explicit(&page->client_core, (uint32_t)sched_getcpu(), memory_order_relaxed);
    atomic_thread_fence(memory_order_seq_cst);
    if (!(atomic_load_explicit(&page->daemon_awaits, memory_order_relaxed) & what))
        return 0;
    channel->woke = true;
    r = connection_ring_bell(&channel->connection);
    return r == -EPIPE ? -ECONNRESET : r < 0 ? r : 0;
}

static bool has_cores(void)
{
    static _Atomic int cores;
    int count = atomic_load_explicit(&cores, memory_order_relaxed);
    cpu_set_t set;

    if (count == 0) {
        count = sched_getaffinity(0, sizeof(set), &set) == 0 ? CPU_COUNT(&set) : 1;
        atomic_store_explicit(&cores, count, memory_order_relaxed);
    }
    return count > 1;
}

/* Looks until it is there, it is time to sleep, or others need the core. */
static bool look_for_a_while(struct channel *channel,
                             bool (*is_there)(const struct channel *channel), int64_t now)
{
    const struct ring_page *page = channel->connection.ring.page;
    const bool yields = atomic_load_explicit(&page->is_crowded, memory_order_relaxed);
    const int64_t end = now + (channel->woke ? SPIN_WOKEN : SPIN);
    int64_t before;

    do {
        for (int i = yields ? LOOKS - 1 : 0; i < LOOKS; i++) {
            if (is_there(channel)) {
                spin_found(&channel->spin);
                return true;
            }
            if (yields)
                sched_yield(); /* the others may be those whom the daemon waits for, or it itself */
            else
                ring_pause();
        }
        before = now;
        now = deadline_now();
        if (now > before + SPIN_LOST) {
            spin_lost(&channel->spin);
            return false;
        }
    } while (now < end);
    spin_vain(&channel->spin);
    return false;
}

static bool spin(struct channel *channel, bool (*is_there)(const struct channel *channel),
                 int64_t now)
{
    bool found = is_there(channel) || (has_cores() && spin_wanted(&channel->spin) &&
                                       look_for_a_while(channel, is_there, now));

    channel->woke = false;
    return found;
}

/* Whether the daemon is still there; it sends nothing over the socket any more. */
static int check_socket(const struct channel *channel)
{
    char byte;
    ssize_t n = recv(channel->connection.fd, &byte, 1, MSG_DONTWAIT | MSG_PEEK);

    if (n < 0)
        return errno == EAGAIN || errno == EINTR ? 0 : -errno;
    return n > 0 ? -EPROTO : -ECONNRESET;
}

/* Sleeps until the daemon moves the futex, for a while at most. */
static int sleep_once(struct channel *channel, bool (*is_there)(const struct channel *channel),
                      int64_t deadline)
{
    struct ring_page *page = channel->connection.ring.page;
    uint32_t changes = atomic_load_explicit(&page->changes, memory_order_acquire);
    int64_t left = deadline_left(deadline);
    struct timespec timeout = deadline_timespec(left < SLEEP_MAX ? left : SLEEP_MAX);
    int r = 0;

    if (left == 0)
        return -ETIMEDOUT;
    atomic_store_explicit(&page->client_sleeps, 1, memory_order_relaxed);
    atomic_thread_fence(memory_order_seq_cst);
    if (!is_there(channel)) {
        r = check_socket(channel);
        if (r == 0)
            syscall(SYS_futex, &page->changes, FUTEX_WAIT, changes, &timeout, NULL, 0);
    }
    atomic_store_explicit(&page->client_sleeps, 0, memory_order_relaxed);
    return r;
}

int ringing_wait(struct channel *channel, bool (*is_there)(const struct channel *channel),
                 int64_t deadline)
{
    const int64_t now = deadline_now();
    int r = 0;

    /* Also where there is something: that may go on and on, and never be all of it. */
    if (now >= deadline)
        return -ETIMEDOUT;
    if (spin(channel, is_there, now))
        return 0;
    while (!is_there(channel) && r == 0)
        r = sleep_once(channel, is_there, deadline);
    return is_there(channel) ? 0 : r;
}
