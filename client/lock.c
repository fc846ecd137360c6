#include "lock.h"

#include "channel_private.h"
#include "deadline.h"
#include "fork.h"
#include "handle.h"
#include "message.h"
#include "retry.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct memstore_lock {
    struct memstore *store;
    struct channel *channel; /* the daemon knows the holder by it */
    unsigned owner;          /* the process */
    uint64_t token;
};

/* What is asked for. */
struct wish {
    enum lock_space space;
    const void *name;
    size_t name_length;
    int timeout_ms;
};

static int wish_fail(const struct wish *wish)
{
    char text[QUOTED_SIZE];

    quote(text, wish->name, wish->name_length);
    if (wish->timeout_ms <= 0)
        return message_fail(-ETIMEDOUT, "others have the lock %s", text);
    return message_fail(-ETIMEDOUT, "others have the lock %s after %d ms", text, wish->timeout_ms);
}

static int lock_read(const struct answer *answer, const struct wish *wish, uint64_t *ret_token)
{
    struct lock_answer given;
    char text[QUOTED_SIZE];

    if (answer->status == -EBUSY)
        return wish_fail(wish);
    if (answer->status < 0)
        return answer_fail(answer, "cannot lock %s", quote(text, wish->name, wish->name_length));
    if (answer->frame.body_length != sizeof(given))
        return -EPROTO;
    memcpy(&given, answer->frame.body, sizeof(given));
    *ret_token = given.token;
    return 0;
}

/* Asks the daemon, or the one that follows it, where everybody stands in line anew. */
static int lock_ask(struct channel *channel, const struct wish *wish, int64_t deadline,
                    uint64_t *ret_token)
{
    const struct lock_request fixed = {.name_length = (uint16_t)wish->name_length,
                                       .space = (uint8_t)wish->space,
                                       .flags = wish->timeout_ms > 0 ? 0 : LOCK_NOW};
    struct request request = {.operation = OPERATION_LOCK,
                              .parts = {{&fixed, sizeof(fixed)}, {wish->name, wish->name_length}}};
    struct answer answer;
    int r;

    do {
        r = channel_call(channel, &request, deadline, &answer);
    } while ((r == -ECONNRESET || r == -ECONNREFUSED) && wish->timeout_ms > 0 &&
             retry_pause(deadline));
    if (r == -ETIMEDOUT && wish->timeout_ms > 0)
        return wish_fail(wish);
    return r < 0 ? r : channel_done(channel, &answer, lock_read(&answer, wish, ret_token));
}

static int lock_init(struct memstore_lock *lock, struct memstore *store, const struct wish *wish)
{
    int64_t deadline = deadline_in(wish->timeout_ms > 0 ? wish->timeout_ms : store->timeout);
    int r;

    *lock = (struct memstore_lock){.store = store, .owner = fork_generation()};
    r = pool_take(store, POOL_WAITS, deadline, &lock->channel);
    if (r < 0)
        return r;
    r = lock_ask(lock->channel, wish, deadline, &lock->token);
    if (r < 0)
        pool_give(store, POOL_WAITS, lock->channel);
    else
        direct_suspect(&store->direct);
    return r;
}

int lock_take(struct memstore *store, enum lock_space space, const void *name, size_t name_length,
              int timeout_ms, struct memstore_lock **ret_lock)
{
    const struct wish wish = {space, name, name_length, timeout_ms};
    struct memstore_lock *lock = malloc(sizeof(*lock));
    int r;

    if (!lock)
        return out_of_memory();
    r = lock_init(lock, store, &wish);
    if (r < 0)
        free(lock);
    else
        *ret_lock = lock;
    return r;
}

int memstore_lock(struct memstore *store, const void *name, size_t name_length, int timeout_ms,
                  struct memstore_lock **ret_lock)
{
    if (name_length > KEY_MAX)
        return message_fail(-ENAMETOOLONG, "a lock's name of %zu bytes is too long: at most %d",
                            name_length, KEY_MAX);
    if (!name && name_length > 0)
        return message_fail(-EINVAL, "no name of a lock (NULL), but a length");
    return lock_take(store, LOCK_NAMED, name, name_length, timeout_ms, ret_lock);
}

uint64_t memstore_lock_token(const struct memstore_lock *lock)
{
    return lock->token;
}

/* The daemon says nothing on the connection: whatever comes is its end. */
int memstore_lock_is_held(const struct memstore_lock *lock)
{
    return lock->owner == fork_generation() && !channel_has_news(lock->channel);
}

static int lock_lost(void)
{
    return message_fail(-ECONNRESET, "the lock was lost before: memstored went away");
}

/* On another connection than that of the lock there is none to give up. */
static int unlock(struct memstore_lock *lock)
{
    struct request request = {.operation = OPERATION_UNLOCK};
    struct answer answer;
    int r;

    if (!memstore_lock_is_held(lock))
        return lock_lost();
    r = channel_call(lock->channel, &request, deadline_in(lock->store->timeout), &answer);
    if (r == -ECONNRESET || r == -ECONNREFUSED)
        return lock_lost();
    if (r < 0)
        return r;
    if (answer.status == -ENOLCK)
        r = lock_lost();
    else if (answer.status < 0)
        r = answer_fail(&answer, "cannot give the lock up");
    else
        r = answer.frame.body_length == 0 ? 0 : -EPROTO;
    return channel_done(lock->channel, &answer, r);
}

int memstore_unlock(struct memstore_lock *lock)
{
    int r;

    if (!lock)
        return 0;
    if (lock->owner != fork_generation()) {
        channel_destroy(lock->channel);
        free(lock);
        return message_fail(-EINVAL, "a lock belongs to the process that took it");
    }
    r = unlock(lock);
    if (r < 0)
        channel_close(lock->channel); /* which gives it up, if nothing else did */
    pool_give(lock->store, POOL_WAITS, lock->channel);
    free(lock);
    return r;
}
