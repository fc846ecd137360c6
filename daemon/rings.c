#include "rings.h"

#include "closer.h"
#include "guard.h"
#include "server.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#define POLL_EVERY 20 /* microseconds that sockets may wait while rings are looked at */
#define SWEEP_EVERY 1000
#define QUIET 1000 /* microseconds without a request, and a ring is not looked at any more */

void rings_init(struct rings *rings, uint64_t spin)
{
    cpu_set_t cores;

    *rings = (struct rings){.spin = spin, .cores = 1};
    TAILQ_INIT(&rings->active);
    if (sched_getaffinity(0, sizeof(cores), &cores) == 0)
        rings->cores = (size_t)CPU_COUNT(&cores);
    /* On one core, whoever looks keeps the others from what is looked for. */
    if (rings->cores == 1)
        rings->spin = 0;
}

/* ---- one ring ---- */

/* A file whose pages stay where they are, unless its owner wants trouble (guard.h). */
static bool is_ring_file(int fd)
{
    const int wanted = F_SEAL_SHRINK | F_SEAL_GROW;
    int seals = fcntl(fd, F_GET_SEALS);
    struct statfs system;
    struct stat info;

    return seals >= 0 && (seals & (wanted | F_SEAL_WRITE)) == wanted && fstatfs(fd, &system) == 0 &&
           system.f_type == TMPFS_MAGIC && fstat(fd, &info) == 0 && info.st_size == RING_FILE_SIZE;
}

int rings_map(int fd, void **ret_file)
{
    void *file;
    int r = -EINVAL;

    if (is_ring_file(fd)) {
        file = mmap(NULL, RING_FILE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        r = file != MAP_FAILED ? 0 : errno == ENOMEM ? -ENOMEM : -EINVAL;
    }
    if (r == 0)
        *ret_file = file;
    closer_close(fd); /* it may be anything */
    return r;
}

void rings_begin(struct client *client, void *file)
{
    connection_use_ring(&client->connection, file, true);
    rings_wake(client);
}

/* Whether more may look at rings than there are cores, we included. */
static bool is_crowded(const struct rings *rings)
{
    return rings->count + 1 > rings->cores;
}

struct notice {
    struct ring_page *page;
    uint32_t awaits;
    uint32_t is_crowded;
};

static int write_notice(void *context)
{
    const struct notice *notice = context;

    atomic_store_explicit(&notice->page->is_crowded, notice->is_crowded, memory_order_relaxed);
    atomic_store_explicit(&notice->page->daemon_awaits, notice->awaits, memory_order_release);
    return 0;
}

/* Tells a client whether it has to wake us, and for what. */
static void tell(struct client *client, uint32_t awaits)
{
    const struct rings *rings = &client->server->rings;
    struct notice notice = {
        .page = client->connection.ring.page, .awaits = awaits, .is_crowded = is_crowded(rings)};

    /* Where this fails, so does the next look, which closes the client. */
    guard_call(write_notice, &notice);
}

static uint32_t wishes(const struct client *client)
{
    return RING_AWAITS_REQUESTS |
           (connection_unsent(&client->connection) > 0 ? RING_AWAITS_ROOM : 0) |
           (client->upload ? RING_AWAITS_FILLED : 0);
}

void rings_leave(struct client *client)
{
    struct rings *rings = &client->server->rings;

    if (!client->is_active)
        return;
    TAILQ_REMOVE(&rings->active, client, active);
    rings->count--;
    client->is_active = false;
}

void rings_wake(struct client *client)
{
    struct rings *rings = &client->server->rings;

    if (client->is_active || !client->connection.ring.page)
        return;
    TAILQ_INSERT_TAIL(&rings->active, client, active);
    rings->count++;
    client->is_active = true;
    client->ring_used = client->server->turn_started;
    tell(client, 0);
}

/* ---- all of them ---- */

static bool look(struct server *server)
{
    struct client *client, *next;
    bool found = false;

    for (client = TAILQ_FIRST(&server->rings.active); client; client = next) {
        next = TAILQ_NEXT(client, active);
        if (client_look(client))
            found = true;
    }
    return found;
}

/* One with requests to be handled is not quiet: until then there may be no room for those that are
 * in its ring. */
static bool is_quiet(const struct client *client, uint64_t now)
{
    return !client->is_ready && !client->upload && now >= client->ring_used + QUIET;
}

/* Has clients that have been quiet wake us. Returns whether one came before it could know. */
static bool sweep(struct server *server, uint64_t now)
{
    struct rings *rings = &server->rings;
    struct client *client, *next;
    bool found = false;

    if (now < rings->swept + SWEEP_EVERY)
        return false;
    rings->swept = now;
    for (client = TAILQ_FIRST(&rings->active); client; client = next) {
        next = TAILQ_NEXT(client, active);
        if (!is_quiet(client, now)) {
            tell(client, 0); /* the cores may be crowded now, or no longer */
            continue;
        }
        tell(client, wishes(client));
        atomic_thread_fence(memory_order_seq_cst);
        if (client_look(client)) {
            found = true;
            if (!client->dead)
                tell(client, 0);
        } else {
            rings_leave(client);
        }
    }
    return found;
}

static void tell_all(struct rings *rings, bool wake_us)
{
    struct client *client;

    for (client = TAILQ_FIRST(&rings->active); client; client = TAILQ_NEXT(client, active))
        tell(client, wake_us ? wishes(client) : 0);
}

/* Has all clients wake us. Returns whether one of them came before it could know. */
static bool rest(struct server *server)
{
    struct rings *rings = &server->rings;
    struct client *client;

    tell_all(rings, true);
    atomic_thread_fence(memory_order_seq_cst);
    if (look(server)) {
        tell_all(rings, false);
        return true;
    }
    while ((client = TAILQ_FIRST(&rings->active)))
        rings_leave(client);
    return false;
}

/* ---- waiting ---- */

static int poll_sockets(struct server *server, struct epoll_event *events, int max, uint64_t now)
{
    if (now < server->rings.polled + POLL_EVERY)
        return 0;
    server->rings.polled = now;
    return epoll_wait(server->epoll_fd, events, max, 0);
}

/* ---- waiting where the client does not ---- */

static int read_core(void *context)
{
    const struct ring_page *page = context;

    return (int)(atomic_load_explicit(&page->client_core, memory_order_relaxed) % CPU_SETSIZE);
}

/*
 * The scheduler likes to put whoever is woken beside the one that woke it. Where the only client
 * and we share a core like that, neither gets on while the other looks, and with each of them
 * asleep in turns, nothing tells the scheduler to part them. So we leave the core, and may come
 * back to it.
 */
static void part_from_client(struct rings *rings)
{
    const struct client *client = TAILQ_FIRST(&rings->active);
    cpu_set_t allowed, others;
    int core;

    if (rings->count != 1)
        return;
    core = guard_call(read_core, client->connection.ring.page);
    if (core < 0 || core != sched_getcpu() || sched_getaffinity(0, sizeof(allowed), &allowed) < 0)
        return;
    others = allowed;
    CPU_CLR(core, &others);
    if (CPU_COUNT(&others) > 0 && sched_setaffinity(0, sizeof(others), &others) == 0)
        sched_setaffinity(0, sizeof(allowed), &allowed);
}

/* Looks again and again. Returns whether a ring or a socket had something; *ret_count: as
 * epoll_wait. */
static bool look_for_a_while(struct server *server, struct epoll_event *events, int max,
                             int *ret_count)
{
    struct rings *rings = &server->rings;
    uint64_t start, before, now;

    part_from_client(rings);
    start = now = server_now();
    do {
        if (look(server))
            return true;
        *ret_count = poll_sockets(server, events, max, now);
        if (*ret_count != 0)
            return true;
        if (is_crowded(rings))
            sched_yield(); /* who waits for the core may have a request for us */
        else
            ring_pause();
        before = now;
        now = server_now();
        if (now > before + SPIN_LOST / 1000) {
            spin_lost(&rings->when);
            return false;
        }
    } while (now < start + rings->spin);
    spin_vain(&rings->when);
    return false;
}

static bool spin(struct server *server, struct epoll_event *events, int max, int *ret_count)
{
    struct rings *rings = &server->rings;

    if (rings->spin == 0 || !spin_wanted(&rings->when) ||
        !look_for_a_while(server, events, max, ret_count))
        return false;
    spin_found(&rings->when);
    return true;
}

int rings_wait(struct server *server, struct epoll_event *events, int max, int timeout)
{
    struct rings *rings = &server->rings;
    uint64_t now;
    bool found;
    int count = 0;

    if (rings->count > 0) {
        now = server_now();
        server->turn_started = now;
        found = sweep(server, now);
        if (look(server) || found || timeout == 0)
            return poll_sockets(server, events, max, now);
        if (spin(server, events, max, &count))
            return count;
        if (rest(server))
            return 0;
    }
    count = epoll_wait(server->epoll_fd, events, max, timeout);
    if (timeout != 0)
        rings->polled = 0;
    return count;
}
