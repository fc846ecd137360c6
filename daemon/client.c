#include "client.h"

#include "closer.h"
#include "direct.h"
#include "guard.h"
#include "idle.h"
#include "listing.h"
#include "locks.h"
#include "request.h"
#include "server.h"
#include "upload.h"
#include "waits.h"
#include "watches.h"

#include <errno.h>
#include <linux/futex.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

/* A client's share of a turn, in requests, and in bytes of values after which it is over. One that
 * moves much comes by itself (request_handle). */
#define SHARE_REQUESTS 64
#define SHARE_BYTES (1U << 20)

/* With so many unsent bytes nothing more is handled: the client has to read first. */
#define UNSENT_MAX FRAME_MAX

/* Whether its request is one that others have to bring to its end, however long that takes. */
static bool is_patient(const struct client *client)
{
    return client->wait || client->watch || (client->claim && !lock_claim_holds(client->claim));
}

static bool is_blocked(const struct client *client)
{
    return client->closing || client->listing || client->upload || is_patient(client) ||
           connection_unsent(&client->connection) >= UNSENT_MAX;
}

static void set_ready(struct client *client, bool ready)
{
    struct server *server = client->server;

    if (ready && !client->is_ready)
        TAILQ_INSERT_TAIL(&server->ready, client, ready);
    else if (!ready && client->is_ready)
        TAILQ_REMOVE(&server->ready, client, ready);
    client->is_ready = ready;
}

void client_line_up(struct client *client, struct client_queue *queue)
{
    if (client->answered)
        TAILQ_REMOVE(client->answered, client, replied);
    if (queue)
        TAILQ_INSERT_TAIL(queue, client, replied);
    client->answered = queue;
}

/* ---- life ---- */

static void watch(struct client *client, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.ptr = &client->source};

    if (events != client->interest &&
        epoll_ctl(client->server->epoll_fd, EPOLL_CTL_MOD, client->connection.fd, &event) == 0)
        client->interest = events;
}

/* Watches for what the client's state allows, and notes since when it is waited for. */
static void update(struct client *client)
{
    struct server *server = client->server;
    size_t unsent = connection_unsent(&client->connection);
    size_t unread = connection_unread(&client->connection);
    bool has_ring = client->connection.ring.page;
    size_t by_socket = has_ring ? client->connection.by_socket : unsent;
    /* During an upload it is read from all the same: cheaper than to change what is watched. And so
     * that its end is seen, while it waits for others. */
    bool may_read =
        (!is_blocked(client) || client->upload || is_patient(client)) && unread < FRAME_MAX;
    bool reads = (has_ring || may_read) && !client->ended;
    bool is_busy = client->is_ready || client->listing || client->upload || is_patient(client);
    /* Who watches may take its events when it likes. */
    bool has_answers = unsent > 0 && !client->watch;
    bool waits = !client->greeted || has_answers || client->closing || (unread > 0 && !is_busy) ||
                 (client->upload && upload_waits(client->upload));

    watch(client, (reads ? (uint32_t)EPOLLIN : 0) | (by_socket > 0 ? (uint32_t)EPOLLOUT : 0));
    if (client->waiting_since && (!waits || client->progress)) {
        TAILQ_REMOVE(&server->waiting, client, waiting);
        client->waiting_since = 0;
    }
    if (waits && !client->waiting_since) {
        client->waiting_since = server_now();
        TAILQ_INSERT_TAIL(&server->waiting, client, waiting);
    }
    client->progress = false;
}

/* ---- bytes ---- */

static int receive(void *connection)
{
    return connection_receive(connection);
}

static int send_all(void *connection)
{
    return connection_send(connection);
}

/* Moves the futex of a ring, and wakes its client if it sleeps: one thread, so that a crowd of them
 * costs nobody time but its own. */
static int note_changes(void *context)
{
    struct client *client = context;
    struct ring_page *page = client->connection.ring.page;

    atomic_store_explicit(&page->changes, ++client->ring_changes, memory_order_release);
    atomic_thread_fence(memory_order_seq_cst);
    if (atomic_load_explicit(&page->client_sleeps, memory_order_relaxed))
        syscall(SYS_futex, &page->changes, FUTEX_WAKE, 1, NULL, NULL, 0);
    return 0;
}

int client_tell(struct client *client)
{
    client->ring_moved = false;
    return guard_call(note_changes, client);
}

static int client_send(struct client *client)
{
    size_t unsent = connection_unsent(&client->connection);
    int r;

    if (!client->connection.ring.page)
        return connection_send(&client->connection);
    r = guard_call(send_all, &client->connection);
    if (connection_unsent(&client->connection) < unsent)
        client->ring_moved = true;
    if (client->ring_moved && (r == 0 || r == -EAGAIN) && client_tell(client) < 0)
        return -EFAULT;
    return r;
}

/* Takes in what stands in the ring. Returns whether there was something, or the client is closed.
 */
static bool take_in(struct client *client)
{
    int r;

    if (is_blocked(client) || connection_unread(&client->connection) == FRAME_MAX)
        return false;
    r = guard_call(receive, &client->connection);
    if (r < 0)
        client_close(client); /* its own memory is out of order */
    if (r > 0) {
        client->ring_used = client->server->turn_started;
        client->ring_moved = true;
        set_ready(client, true);
    }
    return r != 0;
}

bool client_look(struct client *client)
{
    size_t unsent = connection_unsent(&client->connection);

    if (unsent > 0)
        client_flush(client);
    if (client->dead || take_in(client))
        return true;
    if (client->upload && upload_look(client->upload)) {
        client_flush(client); /* it is waited for no more */
        return true;
    }
    return connection_unsent(&client->connection) < unsent;
}

static void client_receive(struct client *client)
{
    bool has_ring = client->connection.ring.page;
    int r = has_ring ? connection_receive_bell(&client->connection)
                     : connection_receive(&client->connection);

    if (r == -ECONNRESET)
        client->ended = true;
    else if (r < 0)
        client_close(client);
    if (client->dead)
        return;
    if (has_ring) {
        rings_wake(client);
        client_look(client);
    }
    if (!client->dead)
        set_ready(client, true);
}

static void client_dispatch(struct server *server, struct source *source, uint32_t events)
{
    struct client *client = (struct client *)source;

    (void)server;
    if (client->dead)
        return;
    if (events & EPOLLIN)
        client_receive(client);
    else if (events & (EPOLLHUP | EPOLLERR))
        client_close(client);
    if (!client->dead && (events & EPOLLOUT))
        client_flush(client);
}

int client_create(struct server *server, int fd)
{
    struct epoll_event event = {.events = EPOLLIN};
    struct ucred peer = {.uid = (uid_t)-1};
    socklen_t length = sizeof(peer);
    struct client *client = calloc(1, sizeof(*client));

    if (!client)
        return -ENOMEM;
    event.data.ptr = &client->source;
    if (epoll_ctl(server->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0) {
        int r = -errno;

        free(client);
        return r;
    }
    getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length);
    client->source.dispatch = client_dispatch;
    client->server = server;
    client->uid = peer.uid;
    client->interest = EPOLLIN;
    connection_init(&client->connection, fd);
    client->connection.close_fd = closer_close;
    bulk_init(&client->bulk);
    pins_init(&client->pins);
    TAILQ_INSERT_TAIL(&server->all, client, all);
    server->clients++;
    update(client);
    return 0;
}

void client_close(struct client *client)
{
    struct server *server = client->server;

    if (client->dead)
        return;
    client->dead = true;
    if (client->listing)
        listing_cancel(client->listing);
    if (client->upload)
        upload_cancel(client->upload);
    if (client->wait)
        wait_cancel(client->wait);
    if (client->watch)
        watch_cancel(client->watch);
    if (client->claim)
        lock_claim_end(client->claim);
    set_ready(client, false);
    client_line_up(client, NULL);
    if (client->waiting_since)
        TAILQ_REMOVE(&server->waiting, client, waiting);
    TAILQ_REMOVE(&server->all, client, all);
    TAILQ_INSERT_TAIL(&server->dead, client, dead_entry);
    direct_leave(client);
    rings_leave(client);
    idle_leave(client);
    lifetimes_abandon(client);
    /* Another thread closes the socket; the peer sees the end now. */
    epoll_ctl(server->epoll_fd, EPOLL_CTL_DEL, client->connection.fd, NULL);
    shutdown(client->connection.fd, SHUT_RDWR);
    connection_finish(&client->connection);
    bulk_finish(&client->bulk);
    server->clients--;
}

/* ---- requests ---- */

/* The stream has lost its frames: says so once, and ends. */
static void refuse_stream(struct client *client)
{
    struct frame_header unknown = {0};

    client_answer_error(client, &unknown, -EPROTO,
                        "a frame has an impossible length; the connection is of no more use");
    client->closing = true;
}

bool client_prepare(struct client *client, int wish)
{
    struct server *server = client->server;

    switch (wish) {
    case -EAGAIN:
        server_commit(server);
        break;
    case -EBUSY:
        listings_finish(server);
        break;
    case -ENOBUFS:
        direct_collect_now(server);
        direct_renew(server);
        server->collected = true;
        break;
    default:
        return false;
    }
    return !client->dead;
}

/* Handles one request. -EINPROGRESS: it moves much, and its time has not come. */
static int handle(struct client *client, const struct frame *frame)
{
    struct server *server = client->server;
    int r = request_handle(client, frame);

    for (int i = 0; i < WISHES_MAX && r < 0 && client_prepare(client, r); i++)
        r = request_handle(client, frame);
    server->collected = false;
    if (client->dead || r == -EINPROGRESS)
        return r;
    client->short_since = 0;
    client->shortages = 0;
    if (r < 0) {
        client_answer_error(client, &frame->header, r, "%s", strerror(-r));
        client->closing = true;
    }
    if (frame->header.flags & FRAME_BULK)
        idle_note(client);
    server->requests++;
    return 0;
}

void client_process(struct client *client)
{
    struct frame frame;
    int r = 0;

    client->is_large = false;
    client->moved = 0;
    for (int i = 0; i < SHARE_REQUESTS && client->moved < SHARE_BYTES && !is_blocked(client) &&
                    !client->server->large_done;
         i++) {
        r = connection_next(&client->connection, &frame);
        if (r <= 0)
            break;
        r = handle(client, &frame);
        if (client->dead)
            return;
        if (r == -EINPROGRESS) {
            client->is_large = true;
            break;
        }
        connection_consume(&client->connection, &frame);
        client->progress = true;
    }
    if (r == -EPROTO)
        refuse_stream(client);
    /* Whole frames that are left are for the next turn, or for when it is no longer blocked. */
    r = is_blocked(client) ? 0 : connection_next(&client->connection, &frame);
    set_ready(client, r != 0);
    client_flush(client);
}

void client_go_on(struct client *client)
{
    rings_wake(client); /* it may have been quiet, and the answer may be longer than its ring */
    set_ready(client, true);
}

/* ---- answers ---- */

void client_told(struct client *client)
{
    if (client->dead)
        return;
    client->uncommitted = 0;
    rings_wake(client); /* it may have been quiet, and the answer may be longer than its ring */
    client_line_up(client, &client->server->told);
}

uint8_t *client_answer(struct client *client, const struct frame_header *request,
                       const struct frame_header *extra, size_t body_length)
{
    struct frame_header header = extra ? *extra : (struct frame_header){0};
    uint8_t *body;

    header.operation = request->operation;
    header.id = request->id;
    header.flags |= FRAME_ANSWER;
    body = connection_queue(&client->connection, &header, body_length);
    if (!body) {
        client_close(client);
        return NULL;
    }
    client->uncommitted += sizeof(header) + body_length;
    if (header.status == -EMSGSIZE)
        client->chain_broken = true;
    if (client->answered != &client->server->replied)
        client_line_up(client, &client->server->replied);
    return body;
}

void client_answer_error(struct client *client, const struct frame_header *request, int status,
                         const char *format, ...)
{
    struct frame_header extra = {.status = status};
    char text[512];
    va_list arguments;
    size_t length;
    uint8_t *body;

    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    length = strlen(text);
    body = client_answer(client, request, &extra, length);
    if (body)
        memcpy(body, text, length);
}

void client_fail_answers(struct client *client, int status)
{
    struct buffer *out = &client->connection.out;
    size_t length = client->uncommitted;
    struct frame_header header;
    uint8_t *answers;

    if (length == 0)
        return;
    /* The answer to RING is among them: what it says has been done. */
    answers = client->connection.by_socket > 0 ? NULL : malloc(length);
    if (!answers) {
        client_close(client);
        return;
    }
    memcpy(answers, out->data + out->end - length, length);
    out->end -= length;
    client->uncommitted = 0;
    for (size_t at = 0; at < length && !client->dead; at += header.length) {
        memcpy(&header, answers + at, sizeof(header));
        client_answer_error(client, &header, status, "the transaction could not be committed: %s",
                            strerror(-status));
    }
    free(answers);
}

void client_flush(struct client *client)
{
    size_t unsent = connection_unsent(&client->connection);
    int r;

    /* Answers go out after their commit, which flushes the client again. */
    if (client->uncommitted > 0)
        return;
    r = client_send(client);
    if (connection_unsent(&client->connection) < unsent)
        client->progress = true;
    if (client->watch)
        watch_look(client->watch);
    if (r < 0 && r != -EAGAIN) {
        client_close(client);
        return;
    }
    /* It may have been blocked by its unsent answers. */
    if (!client->is_ready && !is_blocked(client)) {
        struct frame frame;

        if (connection_next(&client->connection, &frame) != 0)
            set_ready(client, true);
        else if (client->ended && !(client->connection.ring.page && take_in(client)))
            client->closing = true; /* all that it asked for is done */
    }
    if (client->dead)
        return;
    if ((client->closing && connection_unsent(&client->connection) == 0) ||
        (client->ended && is_patient(client))) {
        client_close(client);
        return;
    }
    update(client);
}
