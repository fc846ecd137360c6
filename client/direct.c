#include "direct.h"

#include "common/pins.h"
#include "common/state.h"
#include "deadline.h"
#include "fork.h"
#include "handle.h"
#include "message.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* How often a read looks whether the daemon is still there. */
#define CHECK_INTERVAL (10 * INT64_C(1000000)) /* nanoseconds */

/* When to try again to get a session after it was not to be had. */
#define RETRY_INTERVAL NANOSECONDS

/* A session of a fork's child is made within this time, or not. */
#define HEIR_TIMEOUT 2000 /* milliseconds */

struct direct {
    _Atomic unsigned users; /* the handle, its reads, and each pin */
    _Atomic unsigned pinned;
    _Atomic unsigned reads; /* that were made for it */
    unsigned generation;    /* the process that it belongs to */
    struct channel channel;
    struct pin_table *pins;
    struct environment *environment;
    _Atomic int64_t checked; /* when it was last looked whether the daemon is there */
    _Atomic bool broken;     /* it is not */
    _Atomic bool keeps;      /* a fork's child relies on our pins: they stay */
    struct direct *heir;     /* the child's, while a fork is under way */
    struct direct *next;     /* in the list of all */
    char *socket;
    struct identity identity;       /* its own: it may outlive the handle */
    const struct state_page *state; /* NULL in an heir */
    struct marks marks;             /* mapped, if that could be done; the state tells how many */
};

/* All sessions of the process, for fork. */
static pthread_mutex_t sessions_mutex = PTHREAD_MUTEX_INITIALIZER;
static struct direct *sessions;

static int64_t coarse_now(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
    return now.tv_sec * NANOSECONDS + now.tv_nsec;
}

/* ---- sessions ---- */

static int session_map_pins(struct direct *session, int fd)
{
    void *map = mmap(NULL, PIN_TABLE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

    if (map == MAP_FAILED)
        return -errno;
    session->pins = map;
    atomic_store(&session->pins->pid, (uint32_t)getpid());
    return 0;
}

static int session_map_state(struct direct *session, int folder)
{
    int fd = openat(folder, STATE_NAME, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    void *map = MAP_FAILED;

    if (fd < 0)
        return -EIO;
    map = mmap(NULL, STATE_SIZE, PROT_READ, MAP_SHARED, fd, 0);
    close(fd);
    if (map == MAP_FAILED)
        return -EIO;
    session->state = map;
    return 0;
}

/* Without them reads are not seen as uses. */
static void session_map_marks(struct direct *session, int folder)
{
    int fd = openat(folder, MARKS_NAME, O_RDWR | O_CLOEXEC | O_NOFOLLOW);

    if (fd < 0)
        return;
    marks_map(&session->marks, fd);
    close(fd);
}

/* Asks the daemon for the folder and the pin table. */
static int session_start(struct direct *session, bool with_environment, int64_t deadline)
{
    struct direct_answer direct;
    struct answer answer;
    int fds[CONNECTION_FDS];
    int r = channel_connect_direct(&session->channel, deadline, &answer);

    if (r < 0)
        return r;
    if (answer.status < 0)
        return channel_done(&session->channel, &answer, answer.status);
    if (answer.frame.body_length != sizeof(direct) ||
        connection_take_fds(&session->channel.connection, fds, 2) < 0)
        return channel_done(&session->channel, &answer, -EPROTO);
    memcpy(&direct, answer.frame.body, sizeof(direct));
    r = session_map_pins(session, fds[1]);
    if (r == 0 && with_environment)
        r = session_map_state(session, fds[0]);
    if (r == 0 && with_environment)
        session_map_marks(session, fds[0]);
    if (r == 0 && with_environment)
        r = environment_open(fds[0], direct.map_size, &session->environment);
    close(fds[0]);
    close(fds[1]);
    return channel_done(&session->channel, &answer, r);
}

static void session_destroy(struct direct *session)
{
    channel_reset(&session->channel);
    if (session->pins)
        munmap(session->pins, PIN_TABLE_SIZE);
    if (session->state)
        munmap((void *)(uintptr_t)session->state, STATE_SIZE);
    marks_unmap(&session->marks);
    environment_close(session->environment);
    free(session->socket);
    free(session);
}

static int session_create(const char *socket, struct identity *identity, bool with_environment,
                          int64_t deadline, struct direct **ret_session)
{
    struct direct *session = calloc(1, sizeof(*session));
    int r = -ENOMEM;

    if (!session)
        return -ENOMEM;
    session->users = 1;
    session->generation = fork_generation();
    session->socket = strdup(socket);
    identity_copy(&session->identity, identity);
    channel_init(&session->channel, session->socket, &session->identity, MEMSTORE_CALLS_SOCKET);
    session->channel.is_for_child = true; /* direct_after_fork_in_child sees to it */
    if (session->socket)
        r = session_start(session, with_environment, deadline);
    if (r < 0) {
        session_destroy(session);
        return r;
    }
    session->checked = coarse_now();
    *ret_session = session;
    return 0;
}

static void session_drop(struct direct *session)
{
    struct direct **place = &sessions;

    if (!session || atomic_fetch_sub(&session->users, 1) > 1)
        return;
    pthread_mutex_lock(&sessions_mutex);
    while (*place && *place != session)
        place = &(*place)->next;
    if (*place)
        *place = session->next;
    pthread_mutex_unlock(&sessions_mutex);
    session_destroy(session);
}

/* Whether what is mapped is still the store, as far as can be told without a round trip. */
static bool session_is_current(struct direct *session)
{
    struct pollfd hangup = {.fd = session->channel.connection.fd, .events = POLLIN};
    int64_t now;

    /* One that keeps its pins would fill up: new ones go to a new session. */
    if (atomic_load_explicit(&session->pins->stopped, memory_order_relaxed) ||
        atomic_load_explicit(&session->broken, memory_order_relaxed) ||
        atomic_load_explicit(&session->keeps, memory_order_relaxed))
        return false;
    now = coarse_now();
    if (now - atomic_load_explicit(&session->checked, memory_order_relaxed) < CHECK_INTERVAL)
        return true;
    atomic_store_explicit(&session->checked, now, memory_order_relaxed);
    /* The daemon says nothing on this connection: whatever comes is its end. */
    if (poll(&hangup, 1, 0) > 0)
        atomic_store(&session->broken, true);
    return !atomic_load(&session->broken);
}

/* ---- fork ---- */

/* A child's session with the same pins, made by its parent while these still hold. */
static void session_make_heir(struct direct *session)
{
    struct direct *heir;
    int r = session_create(session->socket, &session->identity, false, deadline_in(HEIR_TIMEOUT),
                           &heir);

    if (r < 0) {
        session->keeps = true; /* then ours have to do for both */
        return;
    }
    for (size_t i = 0; i < PIN_SLOTS; i++)
        atomic_store(&heir->pins->slots[i], atomic_load(&session->pins->slots[i]));
    session->heir = heir;
}

void direct_before_fork(void)
{
    pthread_mutex_lock(&sessions_mutex);
    for (struct direct *session = sessions; session; session = session->next) {
        if (atomic_load(&session->pinned) > 0 && session->generation == fork_generation())
            session_make_heir(session);
    }
    environment_lock();
}

void direct_after_fork_in_parent(void)
{
    for (struct direct *session = sessions; session; session = session->next) {
        struct direct *heir = session->heir;

        session->heir = NULL;
        if (heir)
            session_destroy(heir);
    }
    environment_unlock();
    pthread_mutex_unlock(&sessions_mutex);
}

/* The child's views get the heir's table and connection. The map stays; what is closed here is
 * only the child's copy. */
static void session_inherit(struct direct *session)
{
    struct direct *heir = session->heir;
    struct pin_table *pins = session->pins;
    struct channel channel = session->channel;

    session->pins = heir->pins;
    session->channel = heir->channel;
    session->channel.socket = session->socket;
    session->channel.identity = &session->identity;
    session->generation = fork_generation();
    atomic_store(&session->pins->pid, (uint32_t)getpid());
    heir->pins = pins;
    heir->channel = channel;
    session->heir = NULL;
    session_destroy(heir);
}

void direct_after_fork_in_child(void)
{
    for (struct direct *session = sessions; session; session = session->next) {
        if (session->heir)
            session_inherit(session);
        else if (!session->keeps)
            channel_reset(&session->channel); /* its end is to be the parent's end */
    }
    environment_unlock();
    pthread_mutex_unlock(&sessions_mutex);
}

/* ---- reads ---- */

static int read_create(struct direct_reads *reads, struct direct *session,
                       struct direct_read **ret_read)
{
    struct direct_read *read = calloc(1, sizeof(*read));

    if (!read)
        return -ENOMEM;
    if (reading_create(session->environment, &read->reading) < 0) {
        free(read);
        return -EAGAIN;
    }
    read->session = session;
    read->bucket = session->channel.bucket;
    read->counts = atomic_fetch_add(&session->reads, 1) % READ_COUNTS;
    pthread_mutex_lock(&reads->mutex);
    read->next = reads->all;
    reads->all = read;
    pthread_mutex_unlock(&reads->mutex);
    *ret_read = read;
    return 0;
}

/* Its session's user ends too. */
static void read_destroy(struct direct_reads *reads, struct direct_read *read)
{
    struct direct_read **place = &reads->all;

    if (!read)
        return;
    pthread_mutex_lock(&reads->mutex);
    while (*place != read)
        place = &(*place)->next;
    *place = read->next;
    reads->count += atomic_load(&read->count);
    pthread_mutex_unlock(&reads->mutex);
    reading_destroy(&read->reading);
    session_drop(read->session);
    free(read);
}

/* Those that lie ready and are not of the session. */
static void drop_reads(struct direct_reads *reads, const struct direct *session)
{
    for (size_t i = 0; i < STRIPES; i++) {
        struct direct_read *read = atomic_exchange(&reads->stripes[i].read, NULL);
        struct direct_read *none = NULL;

        if (read && (read->session != session ||
                     !atomic_compare_exchange_strong(&reads->stripes[i].read, &none, read)))
            read_destroy(reads, read);
    }
}

/* Where a thread looks, so that each finds its own read again. */
static struct stripe *own_stripe(struct direct_reads *reads)
{
    static _Atomic unsigned threads;
    static _Thread_local unsigned mine __attribute__((tls_model("initial-exec")));

    if (mine == 0)
        mine = atomic_fetch_add(&threads, 1) + 1;
    return &reads->stripes[mine % STRIPES];
}

/* ---- a handle's session ---- */

void direct_init(struct direct_reads *reads)
{
    pthread_mutex_init(&reads->mutex, NULL);
}

void direct_finish(struct direct_reads *reads)
{
    struct direct *session = atomic_exchange(&reads->session, NULL);

    drop_reads(reads, NULL);
    session_drop(session);
    pthread_mutex_destroy(&reads->mutex);
}

void direct_forget(struct direct_reads *reads)
{
    direct_init(reads);
    drop_reads(reads, NULL);
    session_drop(atomic_exchange(&reads->session, NULL));
    reads->all = NULL; /* reads of threads that are not in the child */
    reads->count = 0;
    atomic_store(&reads->retry, 0);
    atomic_store(&reads->asked, 0);
}

uint64_t direct_count(struct direct_reads *reads)
{
    uint64_t count;

    pthread_mutex_lock(&reads->mutex);
    count = reads->count;
    for (const struct direct_read *read = reads->all; read; read = read->next)
        count += atomic_load(&read->count);
    pthread_mutex_unlock(&reads->mutex);
    return count;
}

/* The handle's session, if it is of use; the caller is one more user of it. */
static struct direct *session_use(struct direct_reads *reads)
{
    struct direct *session;

    pthread_mutex_lock(&reads->mutex);
    session = atomic_load(&reads->session);
    if (session && session_is_current(session))
        atomic_fetch_add(&session->users, 1);
    else
        session = NULL;
    pthread_mutex_unlock(&reads->mutex);
    return session;
}

void direct_suspect(struct direct_reads *reads)
{
    struct direct *session;

    pthread_mutex_lock(&reads->mutex);
    session = atomic_load(&reads->session);
    if (session)
        atomic_store_explicit(&session->checked, 0, memory_order_relaxed);
    pthread_mutex_unlock(&reads->mutex);
}

static void session_replace(struct direct_reads *reads, struct direct *session)
{
    struct direct *old;

    pthread_mutex_lock(&sessions_mutex);
    session->next = sessions;
    sessions = session;
    pthread_mutex_unlock(&sessions_mutex);
    pthread_mutex_lock(&reads->mutex);
    old = atomic_exchange(&reads->session, session);
    pthread_mutex_unlock(&reads->mutex);
    /* The memory of a store that is gone is kept by whoever has it mapped. */
    drop_reads(reads, session);
    session_drop(old);
}

/* In the caller's turn: another thread may have been faster. */
static int session_renew(struct memstore *store, int64_t deadline, struct direct **ret_session)
{
    struct direct *session = session_use(&store->direct);
    int r;

    if (!session) {
        r = session_create(store->socket, &store->identity, true, deadline, &session);
        if (r == -ENXIO)
            return r;
        if (r < 0) {
            atomic_store(&store->direct.retry, coarse_now() + RETRY_INTERVAL);
            return r;
        }
        r = identity_settle(&store->identity, session->channel.bucket, session->channel.store_id);
        if (r < 0) {
            session_drop(session);
            return r;
        }
        session_replace(&store->direct, session);
        session = session_use(&store->direct);
    }
    *ret_session = session;
    return session ? 0 : -EAGAIN;
}

/* -ETIMEDOUT: the time of the call is over; -ENXIO: the bucket was dropped; the message is set. */
static int session_get(struct memstore *store, struct direct **ret_session)
{
    struct direct *session = session_use(&store->direct);
    int64_t deadline;
    int r;

    *ret_session = session;
    if (session)
        return 0;
    if (coarse_now() < atomic_load(&store->direct.retry))
        return -EAGAIN;
    deadline = deadline_in(store->timeout);
    r = handle_take_turn(store, deadline);
    if (r < 0)
        return r;
    r = session_renew(store, deadline, ret_session);
    turns_pass(&store->turns);
    return r;
}

/* ---- begin and end ---- */

void direct_note_asked(struct direct_reads *reads)
{
    atomic_fetch_add_explicit(&reads->asked, 1, memory_order_relaxed);
}

static int ask_instead(struct memstore *store)
{
    if (store->reads == MEMSTORE_READS_DIRECT) {
        message_fail(-EOPNOTSUPP, "the store of memstored at %s cannot be read directly",
                     store->socket);
        return -EOPNOTSUPP;
    }
    direct_note_asked(&store->direct);
    return -EAGAIN;
}

/* What has been said of buckets. Comes before the snapshot, which is then no older. */
static uint64_t session_moved(const struct direct *session)
{
    return atomic_load_explicit(&session->state->buckets, memory_order_acquire);
}

/* The marks for reads of a bucket with that policy. */
static struct marks session_marks(const struct direct *session, uint32_t policy)
{
    struct marks marks = session->marks;

    marks.count = atomic_load_explicit(&session->state->marks, memory_order_acquire);
    return policy == POLICY_LRU && marks_count_is_sound(marks.count) ? marks : (struct marks){0};
}

/* Looks whether the snapshot has the bucket, if there can be news. `moved` is from before. */
static int look_at_bucket(struct direct_read *read, uint64_t moved)
{
    struct bucket row;
    int r;

    if (read->moved == moved)
        return 0;
    r = reading_bucket(&read->reading, read->bucket, &row);
    if (r == -ENOENT)
        return identity_dropped(read->session->identity.name);
    if (r < 0)
        return r;
    read->moved = moved;
    read->marks = session_marks(read->session, row.settings.policy);
    return 0;
}

/* No read lay ready, or only one of a session that is over. */
static int begin_anew(struct memstore *store, struct direct_read **ret_read, uint64_t *ret_moved)
{
    struct direct *session;
    int r = session_get(store, &session);

    if (r == -ETIMEDOUT || r == -ENXIO)
        return r;
    if (r < 0)
        return ask_instead(store);
    *ret_moved = session_moved(session);
    if (read_create(&store->direct, session, ret_read) < 0) {
        session_drop(session);
        return ask_instead(store);
    }
    return 0;
}

static void count_up(_Atomic uint64_t *count)
{
    uint64_t now = atomic_load_explicit(count, memory_order_relaxed);

    atomic_store_explicit(count, now + 1, memory_order_relaxed);
}

static void count_read(struct direct_read *read)
{
    count_up(&read->count);
    read->ended = false;
}

/* Begins the snapshot of a read that lay ready. */
static int begin_again(struct direct_read *read, uint64_t *ret_moved)
{
    *ret_moved = session_moved(read->session);
    return reading_begin(&read->reading);
}

int direct_begin(struct memstore *store, struct direct_read **ret_read)
{
    struct direct_read *read;
    uint64_t moved;
    int r = 0;

    if (store->reads == MEMSTORE_READS_SOCKET)
        return ask_instead(store);
    handle_adopt_if_forked(store);
    read = atomic_exchange_explicit(&own_stripe(&store->direct)->read, NULL, memory_order_acquire);
    if (!read || !session_is_current(read->session) || begin_again(read, &moved) < 0) {
        read_destroy(&store->direct, read);
        r = begin_anew(store, &read, &moved);
        if (r < 0)
            return r;
    }
    count_read(read);
    r = look_at_bucket(read, moved);
    if (r < 0)
        direct_end(store, read);
    else
        *ret_read = read;
    return r;
}

int direct_find(struct direct_read *read, const void *key, size_t key_length,
                struct record *ret_record)
{
    struct read_counts *counts = &read->session->pins->counts[read->counts];
    int r = reading_find(&read->reading, read->bucket, key, key_length, ret_record);

    if (r == 0)
        count_up(&counts->hits);
    else if (r == -ENOENT)
        count_up(&counts->misses);
    return r;
}

void direct_note_use(struct direct_read *read, const void *key, size_t key_length, bool lasts)
{
    uint64_t version = atomic_load_explicit(&read->session->state->version, memory_order_relaxed);
    _Atomic uint64_t *mark = marks_find(&read->marks, read->bucket, key, key_length);

    /* Readers of the same object need not write again and again. */
    if (lasts || MARK_VERSION(atomic_load_explicit(mark, memory_order_relaxed)) != version)
        atomic_store_explicit(
            mark, MARK(version, atomic_load_explicit(&read->count, memory_order_relaxed)),
            memory_order_relaxed);
}

void direct_end_snapshot(struct direct_read *read)
{
    if (!read->ended)
        reading_end(&read->reading);
    read->ended = true;
}

void direct_end(struct memstore *store, struct direct_read *read)
{
    struct direct_read *none = NULL;

    direct_end_snapshot(read);
    if (read->session != atomic_load_explicit(&store->direct.session, memory_order_acquire) ||
        !atomic_compare_exchange_strong(&own_stripe(&store->direct)->read, &none, read))
        read_destroy(&store->direct, read);
}

bool direct_is_final(int result)
{
    switch (result) {
    case -ENOENT:
    case -EALREADY:
    case -ERANGE:
    case -ENOMEM:
    case -EOPNOTSUPP:
    case -ETIMEDOUT:
    case -ENXIO:
        return true;
    default:
        return result >= 0;
    }
}

/* ---- pins ---- */

int direct_pin(struct direct_read *read, uint64_t blob, struct pin *ret_pin)
{
    struct direct *session = read->session;
    unsigned first = (unsigned)((uintptr_t)read / 64 % PIN_SLOTS); /* threads begin apart */

    for (unsigned i = 0; i < PIN_SLOTS; i++) {
        unsigned slot = (first + i) % PIN_SLOTS;
        uint64_t none = 0;

        if (atomic_load_explicit(&session->pins->slots[slot], memory_order_relaxed) == 0 &&
            atomic_compare_exchange_strong(&session->pins->slots[slot], &none, blob)) {
            /* The daemon must see the pin no later than the end of the snapshot. */
            atomic_thread_fence(memory_order_seq_cst);
            atomic_fetch_add(&session->users, 1);
            atomic_fetch_add(&session->pinned, 1);
            *ret_pin = (struct pin){.session = session, .slot = slot};
            return 0;
        }
    }
    return -ENOSPC;
}

void direct_unpin(struct pin *pin)
{
    struct direct *session = pin->session;

    if (!session)
        return;
    /* A view that another thread took during a fork has no pin of the child's. */
    if (!session->keeps && session->generation == fork_generation())
        atomic_store(&session->pins->slots[pin->slot], 0);
    atomic_fetch_sub(&session->pinned, 1);
    session_drop(session);
    pin->session = NULL;
}
