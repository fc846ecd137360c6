/* Waiting for an object: to be there, to change, to be gone. */
#include "deadline.h"
#include "direct.h"
#include "handle.h"
#include "key.h"
#include "message.h"
#include "object.h"
#include "retry.h"

#include <errno.h>

static_assert(MEMSTORE_UNTIL_EXISTS == (int)WAIT_EXISTS && MEMSTORE_UNTIL_GONE == (int)WAIT_GONE &&
                  MEMSTORE_UNTIL_CHANGED == (int)WAIT_CHANGED,
              "memstore.h and protocol.h mean the same");

/* What is waited for. */
struct wish {
    const void *key;
    size_t key_length;
    enum memstore_until until;
    uint64_t version;
};

static int wish_check(const struct wish *wish)
{
    if (wish->until != MEMSTORE_UNTIL_EXISTS && wish->until != MEMSTORE_UNTIL_GONE &&
        wish->until != MEMSTORE_UNTIL_CHANGED)
        return message_fail(-EINVAL, "nothing to wait for: %d", (int)wish->until);
    if (wish->until != MEMSTORE_UNTIL_CHANGED && wish->version != 0)
        return message_fail(-EINVAL, "a version is only for waiting until it changes");
    return key_check(wish->key, wish->key_length);
}

static bool wish_holds(const struct wish *wish, const struct memstore_object *object)
{
    switch (wish->until) {
    case MEMSTORE_UNTIL_EXISTS:
        return object;
    case MEMSTORE_UNTIL_GONE:
        return !object;
    default:
        return (object ? object->version : 0) != wish->version;
    }
}

static int wish_fail(const struct wish *wish, int timeout_ms)
{
    static const char *const states[] = {[MEMSTORE_UNTIL_EXISTS] = "there is no object",
                                         [MEMSTORE_UNTIL_GONE] = "there still is an object",
                                         [MEMSTORE_UNTIL_CHANGED] = "nothing has changed of"};
    char text[QUOTED_SIZE];

    return message_fail(-ETIMEDOUT, "%s %s after %d ms", states[wish->until],
                        quote(text, wish->key, wish->key_length), timeout_ms > 0 ? timeout_ms : 0);
}

/* ---- looking ---- */

/* Returns 1 and the object, or NULL where there is none, if the wish holds, and 0 if it does not.
 * Whether to ask the daemon is the caller's choice; without it -EAGAIN is possible. */
static int look(struct memstore *store, const struct wish *wish, bool asks,
                struct memstore_object **ret_object)
{
    struct memstore_object *object = NULL;
    int r = asks ? memstore_info(store, wish->key, wish->key_length, &object)
                 : look_up_directly(store, wish->key, wish->key_length, &object);

    if (r < 0 && r != -ENOENT)
        return asks || (direct_is_final(r) && r != -EOPNOTSUPP) ? r : -EAGAIN;
    if (!wish_holds(wish, object)) {
        memstore_object_free(object);
        return 0;
    }
    *ret_object = object;
    return 1;
}

/* ---- waiting ---- */

static int wait_read(const struct wish *wish, const struct answer *answer,
                     struct memstore_object **ret_object)
{
    struct memstore_object *object = NULL;
    int r = 0;

    if (answer->status < 0)
        return key_fail(answer, "wait for", wish->key, wish->key_length);
    if (answer->frame.body_length > 0)
        r = object_from_answer(answer, wish->key, wish->key_length, &object);
    if (r < 0)
        return r;
    if (!wish_holds(wish, object)) {
        memstore_object_free(object);
        return -EPROTO;
    }
    *ret_object = object;
    return 0;
}

/* Waits in the daemon, or the one that follows it: what is waited for is a state of the store. */
static int wait_on(struct channel *channel, const struct wish *wish, int64_t deadline,
                   struct memstore_object **ret_object)
{
    const struct wait_request fixed = {.key_length = (uint16_t)wish->key_length,
                                       .until = (uint16_t)wish->until,
                                       .version = wish->version};
    struct request request = {.operation = OPERATION_WAIT,
                              .parts = {{&fixed, sizeof(fixed)}, {wish->key, wish->key_length}}};
    struct answer answer;
    int r;

    do {
        r = channel_call(channel, &request, deadline, &answer);
    } while ((r == -ECONNRESET || r == -ECONNREFUSED) && retry_pause(deadline));
    return r < 0 ? r : channel_done(channel, &answer, wait_read(wish, &answer, ret_object));
}

static int wait_long(struct memstore *store, const struct wish *wish, int timeout_ms,
                     struct memstore_object **ret_object)
{
    int64_t deadline = deadline_in(timeout_ms);
    struct channel *channel;
    int r = pool_take(store, POOL_WAITS, deadline, &channel);

    if (r < 0)
        return r;
    r = wait_on(channel, wish, deadline, ret_object);
    pool_give(store, POOL_WAITS, channel);
    direct_suspect(&store->direct);
    return r == -ETIMEDOUT ? wish_fail(wish, timeout_ms) : r;
}

int memstore_wait(struct memstore *store, const void *key, size_t key_length,
                  enum memstore_until until, uint64_t version, int timeout_ms,
                  struct memstore_object **ret_object)
{
    const struct wish wish = {key, key_length, until, version};
    struct memstore_object *object = NULL;
    int r = wish_check(&wish);

    if (r < 0)
        return r;
    r = look(store, &wish, timeout_ms <= 0, &object);
    if (r == 0 && timeout_ms <= 0)
        return wish_fail(&wish, timeout_ms);
    if (r == 0 || r == -EAGAIN)
        r = wait_long(store, &wish, timeout_ms, &object);
    if (r < 0)
        return r;
    if (ret_object)
        *ret_object = object;
    else
        memstore_object_free(object);
    return 0;
}
