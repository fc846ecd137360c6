/* Watching what happens to objects. */
#include "channel_private.h"
#include "deadline.h"
#include "fork.h"
#include "handle.h"
#include "message.h"
#include "retry.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

/* When a program's own loop is to look again for a daemon that is away, nanoseconds. */
#define LOOK_AGAIN (100 * INT64_C(1000000))

static_assert(MEMSTORE_EVENT_PUT == (int)EVENT_PUT && MEMSTORE_EVENT_DELETE == (int)EVENT_DELETE &&
                  MEMSTORE_EVENT_EXPIRE == (int)EVENT_EXPIRE &&
                  MEMSTORE_EVENT_EVICT == (int)EVENT_EVICT &&
                  MEMSTORE_EVENT_GAP == (int)EVENT_GAP && MEMSTORE_FROM_NOW == WATCH_FROM_NOW,
              "memstore.h and protocol.h mean the same");

struct memstore_watch {
    struct memstore *store;
    struct channel *channel;
    unsigned owner; /* the process whose connection it is */
    uint8_t prefix[KEY_MAX];
    size_t prefix_length;
    bool has_begun;
    uint8_t store_id[STORE_ID_BYTES]; /* the store that was last watched */
    uint64_t version;                 /* of the last event, or where they began */
    bool has_gap;                     /* it is another store now, which has not been told */
    int poll_fd;                      /* epoll: the connection and the timer; -1: not asked for */
    int timer_fd;                     /* when to look for the daemon again */
    struct memstore_event event;      /* the last one told */
    uint8_t key[KEY_MAX + 1];         /* its key, and a NUL */
};

static int watch_fail(const struct memstore_watch *watch, const struct answer *answer)
{
    char text[QUOTED_SIZE];

    return answer_fail(answer, "cannot watch %s", quote(text, watch->prefix, watch->prefix_length));
}

/* ---- the descriptor to poll ---- */

static int poll_add(const struct memstore_watch *watch, int fd)
{
    struct epoll_event event = {.events = EPOLLIN};

    return epoll_ctl(watch->poll_fd, EPOLL_CTL_ADD, fd, &event) < 0 ? -errno : 0;
}

static void timer_set(const struct memstore_watch *watch, int64_t nanoseconds)
{
    const struct itimerspec when = {.it_value = deadline_timespec(nanoseconds)};

    if (watch->timer_fd >= 0)
        timerfd_settime(watch->timer_fd, 0, &when, NULL);
}

static void poll_finish(struct memstore_watch *watch)
{
    if (watch->poll_fd >= 0)
        close(watch->poll_fd);
    if (watch->timer_fd >= 0)
        close(watch->timer_fd);
    watch->poll_fd = watch->timer_fd = -1;
}

static int poll_init(struct memstore_watch *watch)
{
    int r = 0;

    watch->poll_fd = epoll_create1(EPOLL_CLOEXEC);
    watch->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    if (watch->poll_fd < 0 || watch->timer_fd < 0)
        r = -errno;
    if (r == 0)
        r = poll_add(watch, watch->timer_fd);
    if (r == 0 && watch->channel->connection.fd >= 0)
        r = poll_add(watch, watch->channel->connection.fd);
    if (r == 0 && watch->channel->connection.fd < 0)
        timer_set(watch, LOOK_AGAIN);
    if (r < 0)
        poll_finish(watch);
    return r;
}

/* ---- the connection ---- */

/* The next call looks for the daemon, when the descriptor says so. A copy of the socket that
 * another process has would keep it in the epoll set. */
static void hang_up(struct memstore_watch *watch)
{
    int fd = watch->channel->connection.fd;

    if (watch->poll_fd >= 0 && fd >= 0)
        epoll_ctl(watch->poll_fd, EPOLL_CTL_DEL, fd, NULL);
    channel_close(watch->channel);
    timer_set(watch, LOOK_AGAIN);
}

/* What comes behind the answer are events, which stay. */
static int begin_read(struct memstore_watch *watch, const struct answer *answer)
{
    struct channel *channel = watch->channel;
    struct watch_answer begin;

    if (answer->status < 0)
        return channel_done(channel, answer, watch_fail(watch, answer));
    if (answer->frame.body_length != sizeof(begin))
        return channel_done(channel, answer, -EPROTO);
    memcpy(&begin, answer->frame.body, sizeof(begin));
    connection_consume(&channel->connection, &answer->frame);
    watch->version = begin.version;
    watch->has_gap =
        watch->has_begun && memcmp(watch->store_id, channel->store_id, STORE_ID_BYTES) != 0;
    watch->has_begun = true;
    memcpy(watch->store_id, channel->store_id, STORE_ID_BYTES);
    return 0;
}

/* Has a connection that watches from that version on. */
static int begin(struct memstore_watch *watch, uint64_t from, int64_t deadline)
{
    const struct watch_request fixed = {.prefix_length = (uint16_t)watch->prefix_length,
                                        .from = from};
    struct request request = {
        .operation = OPERATION_WATCH,
        .parts = {{&fixed, sizeof(fixed)}, {watch->prefix, watch->prefix_length}}};
    struct answer answer;
    int r = channel_call(watch->channel, &request, deadline, &answer);

    if (r == 0)
        r = begin_read(watch, &answer);
    if (r == 0 && watch->poll_fd >= 0) {
        timer_set(watch, 0);
        r = poll_add(watch, watch->channel->connection.fd);
    }
    if (r < 0)
        hang_up(watch);
    return r;
}

/* Finds the daemon again and goes on behind the last event; in another store, with what happens
 * there from now on. */
static int go_on(struct memstore_watch *watch)
{
    int64_t deadline = deadline_in(watch->store->timeout);
    uint64_t from = watch->version;
    int r = channel_reconnect(watch->channel, deadline);

    if (r == 0 && memcmp(watch->channel->store_id, watch->store_id, STORE_ID_BYTES) != 0)
        from = MEMSTORE_FROM_NOW;
    if (r == 0)
        r = begin(watch, from, deadline);
    if (r < 0)
        timer_set(watch, LOOK_AGAIN);
    return r;
}

/* ---- events ---- */

static void tell(struct memstore_watch *watch, const struct watch_event *told, const uint8_t *key)
{
    if (told->key_length > 0)
        memcpy(watch->key, key, told->key_length);
    watch->key[told->key_length] = '\0';
    watch->event = (struct memstore_event){.kind = (enum memstore_event_kind)told->kind,
                                           .version = told->version,
                                           .key = watch->key,
                                           .key_length = told->key_length};
    watch->version = told->version;
}

static int event_check(const struct memstore_watch *watch, const struct watch_event *told,
                       const uint8_t *key, size_t length)
{
    bool is_gap = told->kind == EVENT_GAP;

    if (told->kind < EVENT_PUT || told->kind > EVENT_GAP || told->key_length != length ||
        length > KEY_MAX || told->version < watch->version)
        return -EPROTO;
    if (is_gap)
        return length == 0 ? 0 : -EPROTO;
    if (told->version == watch->version || length < watch->prefix_length ||
        memcmp(key, watch->prefix, watch->prefix_length) != 0)
        return -EPROTO;
    return 0;
}

/* Takes an event off what has arrived. Returns 1, 0 if none is there, or an error. */
static int event_read(struct memstore_watch *watch, const struct answer *answer)
{
    const struct frame *frame = &answer->frame;
    struct watch_event told;
    int r;

    if (answer->status < 0)
        return watch_fail(watch, answer);
    if (frame->body_length < sizeof(told))
        return -EPROTO;
    memcpy(&told, frame->body, sizeof(told));
    r = event_check(watch, &told, frame->body + sizeof(told), frame->body_length - sizeof(told));
    if (r < 0)
        return r;
    tell(watch, &told, frame->body + sizeof(told));
    connection_consume(&watch->channel->connection, frame);
    return 1;
}

static int event_next(struct memstore_watch *watch)
{
    const struct expected expected = {.operation = OPERATION_WATCH, .id = watch->channel->last_id};
    struct answer answer;
    int r;

    if (watch->has_gap) {
        const struct watch_event gap = {.version = watch->version, .kind = EVENT_GAP};

        watch->has_gap = false;
        tell(watch, &gap, watch->key);
        return 1;
    }
    r = channel_take(watch->channel, &expected, &answer);
    if (r == 1)
        r = event_read(watch, &answer);
    if (r != -EPROTO)
        return r;
    hang_up(watch);
    return channel_fail(watch->channel, r);
}

/* Waits until something arrives, and takes it in. */
static int receive(struct memstore_watch *watch, int64_t deadline)
{
    struct connection *connection = &watch->channel->connection;
    struct pollfd ready = {.fd = connection->fd, .events = POLLIN};
    int r = connection_receive(connection);

    while (r == 0) {
        int64_t left = deadline_left(deadline);
        struct timespec timeout = deadline_timespec(left);

        if (left == 0)
            return -ETIMEDOUT;
        if (ppoll(&ready, 1, &timeout, NULL) < 0 && errno != EINTR)
            return -errno;
        r = connection_receive(connection);
    }
    if (r < 0)
        hang_up(watch);
    return r < 0 && r != -ECONNRESET ? channel_fail(watch->channel, r) : r;
}

static bool is_away(int error)
{
    return error == -ECONNRESET || error == -ECONNREFUSED || error == -ETIMEDOUT;
}

static int next(struct memstore_watch *watch, int64_t deadline)
{
    int r;

    while ((r = event_next(watch)) == 0) {
        if (watch->channel->connection.fd < 0) {
            r = go_on(watch);
            if (r < 0 && (!is_away(r) || !retry_pause(deadline)))
                return r;
        } else {
            r = receive(watch, deadline);
            if (r < 0 && r != -ECONNRESET)
                return r;
        }
    }
    return r < 0 ? r : 0;
}

/* ---- the calls ---- */

static int start(struct memstore_watch *watch, struct memstore *store, const void *prefix,
                 size_t prefix_length, uint64_t from)
{
    int64_t deadline = deadline_in(store->timeout);
    int r;

    *watch = (struct memstore_watch){.store = store,
                                     .owner = fork_generation(),
                                     .prefix_length = prefix_length,
                                     .poll_fd = -1,
                                     .timer_fd = -1};
    if (prefix_length > 0)
        memcpy(watch->prefix, prefix, prefix_length);
    r = pool_take(store, POOL_WAITS, deadline, &watch->channel);
    return r < 0 ? r : begin(watch, from, deadline);
}

int memstore_watch(struct memstore *store, const void *prefix, size_t prefix_length, uint64_t from,
                   struct memstore_watch **ret_watch)
{
    struct memstore_watch *watch;
    int r = key_check(prefix, prefix_length);

    if (r < 0)
        return r;
    watch = malloc(sizeof(*watch));
    if (!watch)
        return out_of_memory();
    r = start(watch, store, prefix, prefix_length, from);
    if (r < 0)
        memstore_watch_close(watch);
    else
        *ret_watch = watch;
    return r;
}

static int watch_check(const struct memstore_watch *watch)
{
    if (watch->owner != fork_generation())
        return message_fail(-EINVAL, "a watch belongs to the process that opened it");
    return 0;
}

int memstore_watch_next(struct memstore_watch *watch, int timeout_ms,
                        const struct memstore_event **ret_event)
{
    int r = watch_check(watch);

    if (r < 0)
        return r;
    r = next(watch, deadline_in(timeout_ms > 0 ? timeout_ms : 0));
    if (r == -ETIMEDOUT)
        return message_fail(r, "no event after %d ms", timeout_ms > 0 ? timeout_ms : 0);
    if (r < 0)
        return r;
    direct_suspect(&watch->store->direct);
    *ret_event = &watch->event;
    return 0;
}

int memstore_watch_fd(struct memstore_watch *watch)
{
    int r = watch_check(watch);

    if (r == 0 && watch->poll_fd < 0)
        r = poll_init(watch);
    if (r < 0)
        return message_fail(r, "there is no descriptor for a watch: %s", memstore_strerror(r));
    return watch->poll_fd;
}

void memstore_watch_close(struct memstore_watch *watch)
{
    if (!watch)
        return;
    poll_finish(watch);
    channel_destroy(watch->channel);
    free(watch);
}
