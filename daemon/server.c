#include "server.h"

#include "closer.h"
#include "events.h"
#include "idle.h"
#include "lifetimes.h"
#include "listing.h"
#include "log.h"
#include "remains.h"
#include "state.h"
#include "upload.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <systemd/sd-daemon.h>
#include <time.h>
#include <unistd.h>

#define EVENTS_MAX 256
#define LONG_TURN 200000    /* microseconds */
#define ACCEPT_PAUSE 100000 /* microseconds */
#define ACCEPTS_MAX 64      /* in one turn */
#define TOLD_MAX 128        /* the same */

/* Descriptors that are not clients': listeners, epoll, store, and what libraries need. */
#define DESCRIPTORS_KEPT 32

/* Descriptors of a client: its socket, and a bulk buffer or a pin table. */
#define DESCRIPTORS_EACH 2

uint64_t server_now(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

/* ---- accepting ---- */

/* Tells a client that it can't be served, as the answer to the HELLO that it will send. */
static void refuse(int fd, const char *text)
{
    struct frame_header header = {.operation = OPERATION_HELLO, .status = -EUSERS};
    struct connection connection;
    uint8_t *body;

    header.flags = FRAME_ANSWER;
    connection_init(&connection, fd);
    body = connection_queue(&connection, &header, strlen(text));
    if (body) {
        memcpy(body, text, strlen(text));
        connection_send(&connection);
    }
    connection_finish(&connection);
}

/* One user other than ours and root may have a quarter of the connections. */
static bool has_too_many(const struct server *server, int fd)
{
    struct ucred peer = {0};
    socklen_t length = sizeof(peer);
    const struct client *client;
    size_t count = 0;

    if (server->clients >= server->clients_max)
        return true;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) < 0)
        return true;
    if (peer.uid == 0 || peer.uid == geteuid())
        return false;
    TAILQ_FOREACH (client, &server->all, all) {
        if (client->uid == peer.uid)
            count++;
    }
    return count >= server->clients_max / 4;
}

static void welcome(struct server *server, int fd)
{
    char text[128];
    int r;

    if (has_too_many(server, fd)) {
        snprintf(text, sizeof(text),
                 "memstored has as many clients as it takes: %zu in all, a quarter for one user",
                 server->clients_max);
        refuse(fd, text);
        return;
    }
    r = client_create(server, fd);
    if (r < 0) {
        snprintf(text, sizeof(text), "memstored cannot take the client in: %s", strerror(-r));
        refuse(fd, text);
    }
}

static void watch_listeners(struct server *server, uint32_t events)
{
    for (size_t i = 0; i < server->listener->count; i++) {
        struct epoll_event event = {.events = events, .data.ptr = &server->listener_sources[i]};

        epoll_ctl(server->epoll_fd, EPOLL_CTL_MOD, server->listener->fds[i], &event);
    }
}

/* Memory is short: whoever knocks waits a moment. Otherwise they would wake us without end. */
static void pause_accepting(struct server *server, int error)
{
    log_warning("cannot take clients in: %s", strerror(error));
    watch_listeners(server, 0);
    server->accept_again = server_now() + ACCEPT_PAUSE;
}

static void resume_accepting(struct server *server)
{
    watch_listeners(server, EPOLLIN);
    server->accept_again = 0;
}

/* No descriptor is left: gives up the spare one to take a client in and refuse it. Left alone, it
 * would hang, and the listening socket would wake us without end. */
static void refuse_with_spare(struct server *server, int listener)
{
    int fd;

    if (server->spare_fd >= 0)
        close(server->spare_fd);
    fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0)
        refuse(fd, "memstored is out of descriptors; raise its limit (LimitNOFILE, ulimit -n)");
    else if (errno != EAGAIN)
        pause_accepting(server, errno);
    server->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
}

static void accept_clients(struct server *server, struct source *source, uint32_t events)
{
    size_t index = (size_t)(source - server->listener_sources);
    int listener = server->listener->fds[index];

    (void)events;
    for (int i = 0; i < ACCEPTS_MAX; i++) {
        int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

        if (fd >= 0) {
            welcome(server, fd);
        } else if (errno == EMFILE || errno == ENFILE) {
            refuse_with_spare(server, listener);
            return;
        } else if (errno == EAGAIN) {
            return;
        } else if (errno != ECONNABORTED && errno != EINTR) {
            pause_accepting(server, errno);
            return;
        }
    }
}

/* ---- turns ---- */

/* Tells those who wait what has been committed. */
static void tell_events(struct server *server)
{
    struct events *events = store_events(server->store);
    const struct event *event;

    for (event = events_first(events); event; event = events_next(events, event)) {
        statistics_tell(server, event);
        waits_tell(server, event);
        if (event->kind == EVENT_DROPPED)
            locks_end(server, event->bucket);
        watches_tell(server, event);
    }
    events_clear(events);
    waits_begin(server);
}

int server_commit(struct server *server)
{
    int r = store_commit(server->store);
    struct client *client, *next;

    state_tell(server->direct.state, store_version(server->store), store_marks(server->store));
    if (store_buckets_moved(server->store))
        state_move_buckets(server->direct.state);
    for (client = TAILQ_FIRST(&server->replied); client; client = next) {
        next = TAILQ_NEXT(client, replied);
        if (r < 0)
            client_fail_answers(client, r);
        client->uncommitted = 0;
    }
    if (r < 0 && r != -ENOSPC && r != -ENOMEM)
        server->failure = r;
    locks_settle(server, r);
    tell_events(server);
    direct_note_commit(server);
    return r;
}

static void process(struct server *server, struct client *client)
{
    TAILQ_REMOVE(&server->ready, client, ready);
    client->is_ready = false;
    client_process(client);
}

/* Each of the ready once. Those that come back for more are behind the others: they wait for the
 * next turn. Others may be closed meanwhile, so nothing but the count is relied on. */
static void process_ready(struct server *server)
{
    struct client *client;
    size_t count = 0;

    TAILQ_FOREACH (client, &server->ready, ready) {
        count++;
    }
    for (; count > 0 && (client = TAILQ_FIRST(&server->ready)); count--)
        process(server, client);
}

/* One request that moves much, of the client that has waited longest for it. All others had
 * their turn, and have it again before the next one. */
static void process_large(struct server *server)
{
    struct client *client = TAILQ_FIRST(&server->ready);

    while (client && !client->is_large)
        client = TAILQ_NEXT(client, ready);
    if (!client)
        return;
    server->large_allowed = true;
    process(server, client);
    server->large_allowed = server->large_done = false;
}

static void flush(struct client *client)
{
    client_line_up(client, NULL);
    client_flush(client);
}

static void flush_replied(struct server *server)
{
    while (!TAILQ_EMPTY(&server->replied))
        flush(TAILQ_FIRST(&server->replied));
}

/* Those whom one commit woke may be many. */
static void flush_told(struct server *server)
{
    for (size_t i = 0; i < TOLD_MAX && !TAILQ_EMPTY(&server->told); i++)
        flush(TAILQ_FIRST(&server->told));
}

static void close_overdue(struct server *server)
{
    struct client *client;
    uint64_t now = TAILQ_EMPTY(&server->waiting) ? 0 : server_now();

    /* In a long turn it is the daemon that lets others wait: what they sent has not been read. */
    if (now > server->turn_started + LONG_TURN)
        return;
    while ((client = TAILQ_FIRST(&server->waiting)) &&
           now - client->waiting_since >= server->client_timeout) {
        log_warning("a client of user %u is closed: it %s for %llu s", (unsigned)client->uid,
                    !client->greeted                         ? "said no HELLO"
                    : connection_unsent(&client->connection) ? "did not take its answers"
                                                             : "held half a request",
                    (unsigned long long)(server->client_timeout / 1000000));
        client_close(client);
    }
}

static void free_dead(struct server *server)
{
    struct client *client;

    while ((client = TAILQ_FIRST(&server->dead))) {
        TAILQ_REMOVE(&server->dead, client, dead_entry);
        free(client);
    }
}

static void keep_watchdog(struct server *server)
{
    uint64_t now = server->watchdog ? server_now() : 0;

    if (!server->watchdog || now < server->watchdog_next)
        return;
    sd_notify(0, "WATCHDOG=1");
    server->watchdog_next = now + server->watchdog;
}

/* Is there work that goes on without anything that epoll could tell? */
static bool is_busy(const struct server *server)
{
    return !TAILQ_EMPTY(&server->ready) || !TAILQ_EMPTY(&server->listings) ||
           !TAILQ_EMPTY(&server->uploads) || watches_are_behind(&server->watches) ||
           !TAILQ_EMPTY(&server->locks.free) || !TAILQ_EMPTY(&server->told);
}

/* Milliseconds that epoll may sleep. */
static int sleep_time(struct server *server, bool more)
{
    uint64_t until = UINT64_MAX;
    uint64_t now;

    if (more || is_busy(server))
        return 0;
    if (!TAILQ_EMPTY(&server->waiting))
        until = TAILQ_FIRST(&server->waiting)->waiting_since + server->client_timeout;
    if (server->watchdog && server->watchdog_next < until)
        until = server->watchdog_next;
    if (server->accept_again && server->accept_again < until)
        until = server->accept_again;
    if (direct_next(server) < until)
        until = direct_next(server);
    if (idle_next(server) < until)
        until = idle_next(server);
    if (lifetimes_next(server) < until)
        until = lifetimes_next(server);
    if (remains_next(server) < until)
        until = remains_next(server);
    if (until == UINT64_MAX)
        return -1;
    now = server_now();
    return until <= now ? 0 : (int)((until - now) / 1000 + 1);
}

/* One turn. Returns whether there is idle work left. */
static int server_turn(struct server *server, bool more)
{
    struct epoll_event events[EVENTS_MAX];
    int count = rings_wait(server, events, EVENTS_MAX, sleep_time(server, more));
    bool idle;

    if (count < 0)
        return errno == EINTR ? 0 : -errno;
    idle = count == 0 && !is_busy(server);
    server->turn_started = server_now();
    if (server->accept_again && server->turn_started >= server->accept_again)
        resume_accepting(server);
    for (int i = 0; i < count; i++) {
        struct source *source = events[i].data.ptr;

        source->dispatch(server, source, events[i].events);
    }
    process_ready(server);
    locks_grant(server);
    server_commit(server);
    flush_replied(server);
    watches_continue(server);
    flush_told(server);
    process_large(server);
    uploads_continue(server);
    server_commit(server);
    listings_continue(server);
    flush_replied(server);
    lifetimes_end(server);
    remains_clear(server);
    flush_replied(server);
    direct_collect(server);
    close_overdue(server);
    idle_give_back(server);
    free_dead(server);
    keep_watchdog(server);
    if (idle)
        return store_reserve_ahead(server->store);
    return 1; /* look once more without sleeping, and do idle work if all is quiet */
}

/* ---- start and end ---- */

static void take_signal(struct server *server, struct source *source, uint32_t events)
{
    struct signalfd_siginfo info;

    (void)source;
    (void)events;
    if (read(server->signal_fd, &info, sizeof(info)) == sizeof(info)) {
        log_info("stopping: %s", strsignal((int)info.ssi_signo));
        server->stopping = true;
    }
}

static int watch(struct server *server, int fd, struct source *source)
{
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = source};

    return epoll_ctl(server->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0 ? -errno : 0;
}

static int watch_signals(struct server *server)
{
    sigset_t signals;

    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGHUP);
    if (sigprocmask(SIG_BLOCK, &signals, NULL) < 0)
        return -errno;
    server->signal_fd = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
    if (server->signal_fd < 0)
        return -errno;
    server->signal_source.dispatch = take_signal;
    return watch(server, server->signal_fd, &server->signal_source);
}

static int add_listeners(struct server *server)
{
    int r = 0;

    for (size_t i = 0; r == 0 && i < server->listener->count; i++) {
        int fd = server->listener->fds[i];

        /* A socket from systemd may block; accept must not. */
        if (fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK) < 0)
            return -errno;
        server->listener_sources[i].dispatch = accept_clients;
        r = watch(server, fd, &server->listener_sources[i]);
    }
    return r;
}

/* As many clients as descriptors allow. */
static void set_clients_max(struct server *server)
{
    struct rlimit limit = {.rlim_cur = 1024};

    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
    server->clients_max = limit.rlim_cur > DESCRIPTORS_KEPT + DESCRIPTORS_EACH
                              ? (limit.rlim_cur - DESCRIPTORS_KEPT) / DESCRIPTORS_EACH
                              : 1;
}

static int server_init(struct server *server, const struct server_settings *settings)
{
    struct store_status status;
    uint64_t watchdog = 0;
    int r;

    TAILQ_INIT(&server->all);
    TAILQ_INIT(&server->ready);
    TAILQ_INIT(&server->replied);
    TAILQ_INIT(&server->told);
    TAILQ_INIT(&server->waiting);
    TAILQ_INIT(&server->warm);
    TAILQ_INIT(&server->dead);
    TAILQ_INIT(&server->listings);
    TAILQ_INIT(&server->uploads);
    STAILQ_INIT(&server->abandoned);
    TAILQ_INIT(&server->direct.readers);
    TAILQ_INIT(&server->direct.inherited);
    server->started = server_now();
    rings_init(&server->rings, settings->spin);
    store_status(server->store, &status);
    r = statistics_init(&server->statistics);
    if (r == 0)
        r = waits_init(&server->waits);
    if (r == 0)
        r = watches_init(&server->watches, status.version);
    if (r == 0)
        r = locks_init(&server->locks);
    if (r < 0)
        return r;
    set_clients_max(server);
    if (sd_watchdog_enabled(0, &watchdog) > 0)
        server->watchdog = watchdog / 2;
    server->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    server->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (server->epoll_fd < 0 || server->spare_fd < 0)
        return -errno;
    store_set_pins(settings->store, &(struct store_pins){.read = direct_pinned, .context = server});
    r = direct_init(server, settings->folder, settings->listener->path, settings->direct);
    if (r == 0)
        r = lifetimes_begin(server);
    if (r == 0)
        r = watch_signals(server);
    if (r == 0)
        r = closer_start();
    return r < 0 ? r : add_listeners(server);
}

static void server_finish(struct server *server)
{
    while (!TAILQ_EMPTY(&server->all))
        client_close(TAILQ_FIRST(&server->all));
    free_dead(server);
    lifetimes_finish(server);
    waits_finish(&server->waits);
    statistics_finish(&server->statistics);
    watches_finish(&server->watches);
    locks_finish(&server->locks);
    direct_finish(server);
    if (server->signal_fd >= 0)
        close(server->signal_fd);
    if (server->spare_fd >= 0)
        close(server->spare_fd);
    if (server->epoll_fd >= 0)
        close(server->epoll_fd);
}

int server_run(struct server *server, const struct server_settings *settings)
{
    int r;

    *server = (struct server){.listener = settings->listener,
                              .store = settings->store,
                              .keep = settings->keep,
                              .client_timeout = settings->client_timeout * UINT64_C(1000000),
                              .direct.folder_fd = -1,
                              .epoll_fd = -1,
                              .signal_fd = -1,
                              .spare_fd = -1};
    r = server_init(server, settings);
    if (r < 0) {
        log_error("cannot start: %s", strerror(-r));
        goto out;
    }
    sd_notify(0, "READY=1\nSTATUS=Serving");
    while (r >= 0 && !server->stopping && !server->failure)
        r = server_turn(server, r > 0);
    sd_notify(0, "STOPPING=1");
    if (server->failure)
        r = server->failure;
    if (r < 0)
        log_error("the store or the server failed (%s); the store is left as it is", strerror(-r));
out:
    server_finish(server);
    return r < 0 ? r : 0;
}
