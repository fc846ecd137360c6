#include "locks.h"

#include "listing.h"
#include "request.h"
#include "server.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

TAILQ_HEAD(claim_queue, lock_claim);

/* Which of the queues of all locks it is in. */
enum lock_state {
    LOCK_TAKEN,
    LOCK_FREE,
    LOCK_GRANTED,
};

/* A lock; it goes with the last who wants it. */
struct lock {
    struct table_entry entry; /* first */
    enum lock_space space;
    enum lock_state state;
    struct lock_claim *holder;  /* or NULL */
    struct claim_queue waiting; /* the longest first */
    TAILQ_ENTRY(lock) queue;    /* of LOCK_FREE, LOCK_GRANTED */
    uint8_t name[];
};

/* What a client has, or waits for. */
struct lock_claim {
    struct client *client;
    struct frame_header header;
    struct lock *lock;
    uint64_t token;
    bool holds; /* and has been told */
    TAILQ_ENTRY(lock_claim) entry;
};

int locks_init(struct locks *locks)
{
    int r = 0;

    TAILQ_INIT(&locks->free);
    TAILQ_INIT(&locks->granted);
    for (size_t i = 0; r == 0 && i < LOCK_SPACES; i++)
        r = table_init(&locks->tables[i]);
    return r;
}

void locks_finish(struct locks *locks)
{
    for (size_t i = 0; i < LOCK_SPACES; i++)
        table_finish(&locks->tables[i]);
}

/* ---- one lock ---- */

static struct lock *lock_create(struct locks *locks, const struct lock_wish *wish)
{
    struct lock *lock = calloc(1, sizeof(*lock) + wish->name.length);

    if (!lock)
        return NULL;
    if (wish->name.length > 0)
        memcpy(lock->name, wish->name.data, wish->name.length);
    lock->entry.key = wish->name;
    lock->entry.key.data = lock->name;
    lock->space = wish->space;
    TAILQ_INIT(&lock->waiting);
    if (table_add(&locks->tables[lock->space], &lock->entry) < 0) {
        free(lock);
        return NULL;
    }
    return lock;
}

static struct lock_queue *queue_of(struct locks *locks, enum lock_state state)
{
    switch (state) {
    case LOCK_FREE:
        return &locks->free;
    case LOCK_GRANTED:
        return &locks->granted;
    default:
        return NULL;
    }
}

static void set_state(struct locks *locks, struct lock *lock, enum lock_state state)
{
    struct lock_queue *from = queue_of(locks, lock->state);
    struct lock_queue *to = queue_of(locks, state);

    if (from)
        TAILQ_REMOVE(from, lock, queue);
    if (to)
        TAILQ_INSERT_TAIL(to, lock, queue);
    lock->state = state;
}

/* After somebody has left: the next has their turn, or the lock goes. */
static void pass_on(struct locks *locks, struct lock *lock)
{
    bool is_wanted = !TAILQ_EMPTY(&lock->waiting);

    if (lock->holder)
        return;
    set_state(locks, lock, is_wanted ? LOCK_FREE : LOCK_TAKEN);
    if (is_wanted)
        return;
    table_remove(&locks->tables[lock->space], &lock->entry);
    free(lock);
}

/* ---- claims ---- */

int lock_claim_start(struct client *client, const struct lock_wish *wish)
{
    struct locks *locks = &client->server->locks;
    struct lock *lock = (struct lock *)table_find(&locks->tables[wish->space], &wish->name);
    struct lock_claim *claim;

    if (client->claim)
        return -EALREADY;
    if (lock && wish->only_now)
        return -EBUSY;
    claim = calloc(1, sizeof(*claim));
    if (!lock)
        lock = claim ? lock_create(locks, wish) : NULL;
    if (!claim || !lock) {
        free(claim);
        return -ENOMEM;
    }
    claim->client = client;
    claim->header = *wish->header;
    claim->lock = lock;
    client->claim = claim;
    TAILQ_INSERT_TAIL(&lock->waiting, claim, entry);
    locks->waiting++;
    pass_on(locks, lock);
    return 0;
}

bool lock_claim_holds(const struct lock_claim *claim)
{
    return claim->holds;
}

uint32_t lock_claim_bucket(const struct lock_claim *claim)
{
    return claim->lock->entry.key.bucket;
}

void lock_claim_end(struct lock_claim *claim)
{
    struct locks *locks = &claim->client->server->locks;
    struct lock *lock = claim->lock;

    if (lock->holder == claim) {
        lock->holder = NULL;
        locks->held--;
    } else {
        TAILQ_REMOVE(&lock->waiting, claim, entry);
        locks->waiting--;
    }
    claim->client->claim = NULL;
    free(claim);
    pass_on(locks, lock);
}

/* ---- giving away ---- */

/* Takes a version, whatever has to be done before. */
static int take_token(struct server *server, uint64_t *ret_token)
{
    int r = store_take_version(server->store, ret_token);

    for (int i = 0; i < WISHES_MAX && (r == -EAGAIN || r == -EBUSY); i++) {
        if (r == -EAGAIN)
            server_commit(server);
        else
            listings_finish(server);
        r = store_take_version(server->store, ret_token);
    }
    return r;
}

static void refuse(struct lock_claim *claim, int error)
{
    const struct frame_header header = claim->header;
    struct client *client = claim->client;

    lock_claim_end(claim);
    client_answer_error(client, &header, error, "there is no version for the lock: %s",
                        strerror(-error));
}

/* The bucket was dropped. */
static void drop(struct lock_claim *claim, uint32_t bucket)
{
    const struct frame_header header = claim->header;
    struct client *client = claim->client;

    lock_claim_end(claim);
    request_answer_failure(client, &header, -ENXIO, bucket);
    client_told(client);
}

/* Gives the lock to who has waited longest. */
static void grant(struct locks *locks, struct lock *lock, uint64_t token)
{
    struct lock_claim *claim = TAILQ_FIRST(&lock->waiting);

    TAILQ_REMOVE(&lock->waiting, claim, entry);
    locks->waiting--;
    locks->held++;
    claim->token = token;
    lock->holder = claim;
    set_state(locks, lock, LOCK_GRANTED);
}

/* Before the commit. */
static void give_up(struct lock_claim *claim, int error)
{
    struct client *client = claim->client;

    refuse(claim, error);
    if (!client->dead)
        client_go_on(client);
}

void locks_grant(struct server *server)
{
    struct locks *locks = &server->locks;

    while (!TAILQ_EMPTY(&locks->free)) {
        uint64_t token;
        int r = take_token(server, &token);
        struct lock *lock = TAILQ_FIRST(&locks->free); /* a commit may have closed clients */

        if (lock && r == 0)
            grant(locks, lock, token);
        else if (lock)
            give_up(TAILQ_FIRST(&lock->waiting), r); /* NOLINT(clang-analyzer-unix.Malloc) */
    }
}

static void tell(struct lock_claim *claim)
{
    const struct lock_answer answer = {.token = claim->token};
    uint8_t *body;

    claim->holds = true;
    body = client_answer(claim->client, &claim->header, NULL, sizeof(answer));
    if (body)
        memcpy(body, &answer, sizeof(answer));
}

/* Without a holder the lock goes with the last of them. */
static void end_waiting(struct lock *lock)
{
    const uint32_t bucket = lock->entry.key.bucket;
    struct lock_claim *claim, *next;

    for (claim = TAILQ_FIRST(&lock->waiting); claim; claim = next) {
        next = TAILQ_NEXT(claim, entry);
        drop(claim, bucket);
    }
}

void locks_end(struct server *server, uint32_t bucket)
{
    for (size_t i = 0; i < LOCK_SPACES; i++) {
        const struct table *table = &server->locks.tables[i];
        struct table_entry *entry, *next;

        for (entry = table_next(table, bucket, NULL); entry; entry = next) {
            next = table_next(table, bucket, entry);
            end_waiting((struct lock *)entry);
        }
    }
}

void locks_settle(struct server *server, int error)
{
    struct locks *locks = &server->locks;
    struct lock *lock;

    while ((lock = TAILQ_FIRST(&locks->granted))) {
        struct client *client = lock->holder->client; /* NOLINT(clang-analyzer-unix.Malloc) */

        set_state(locks, lock, LOCK_TAKEN);
        if (error < 0)
            refuse(lock->holder, error);
        else
            tell(lock->holder);
        client_told(client);
    }
}
