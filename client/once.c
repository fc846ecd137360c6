/* Values that one process computes for all. */
#include "deadline.h"
#include "handle.h"
#include "lock.h"
#include "message.h"

#include <errno.h>

struct once {
    struct memstore *store;
    const void *key;
    size_t key_length;
    memstore_compute compute;
    void *context;
    const struct memstore_put_options *options;
    int timeout_ms;
    int64_t deadline;
    bool wants_object;
    struct memstore_object *object;
};

/* Returns 1 if there is a value, 0 if not. */
static int find(struct once *once)
{
    int r;

    if (!once->wants_object)
        return memstore_exists(once->store, once->key, once->key_length);
    r = memstore_get(once->store, once->key, once->key_length, 0, MEMSTORE_TO_END, &once->object);
    return r == -ENOENT ? 0 : r < 0 ? r : 1;
}

static int compute_fail(const struct once *once, int error)
{
    char text[QUOTED_SIZE];

    if (error > 0)
        error = -EINVAL; /* it promised none of these */
    return message_fail(error, "there is no value for %s: it could not be computed: %s",
                        quote(text, once->key, once->key_length), memstore_strerror(error));
}

/* Computes and puts. A lock that was lost meanwhile, with its daemon, is another's: then nothing is
 * put. Returns 1 if that was all; 0: there may be an object to look up. */
static int make(const struct once *once, const struct memstore_lock *lock)
{
    struct memstore_writer *writer;
    int r = memstore_writer_open(once->store, once->key, once->key_length, once->options, &writer);

    if (r < 0)
        return r;
    r = once->compute(writer, once->context);
    if (r == 0 && memstore_lock_is_held(lock)) {
        r = memstore_writer_commit(writer, NULL);
        return r == 0 && !once->wants_object ? 1 : r;
    }
    memstore_writer_abort(writer);
    return r == 0 ? 0 : compute_fail(once, r);
}

static int wait_fail(const struct once *once)
{
    char text[QUOTED_SIZE];

    return message_fail(-ETIMEDOUT, "others compute %s for more than %d ms",
                        quote(text, once->key, once->key_length),
                        once->timeout_ms > 0 ? once->timeout_ms : 0);
}

static int left_ms(const struct once *once)
{
    return (int)((deadline_left(once->deadline) + 999999) / 1000000);
}

/* Waits until nobody else is at it. Returns 1 if there is a value then; otherwise makes one. */
static int take_turn(struct once *once)
{
    struct memstore_lock *lock;
    int r = lock_take(once->store, LOCK_ONCE, once->key, once->key_length, left_ms(once), &lock);

    if (r < 0)
        return r == -ETIMEDOUT ? wait_fail(once) : r;
    r = find(once);
    if (r == 0)
        r = make(once, lock);
    memstore_unlock(lock);
    return r;
}

int memstore_once(struct memstore *store, const void *key, size_t key_length,
                  memstore_compute compute, void *context,
                  const struct memstore_put_options *options, int timeout_ms,
                  struct memstore_object **ret_object)
{
    struct once once = {.store = store,
                        .key = key,
                        .key_length = key_length,
                        .compute = compute,
                        .context = context,
                        .options = options,
                        .timeout_ms = timeout_ms,
                        .deadline = deadline_in(timeout_ms > 0 ? timeout_ms : 0),
                        .wants_object = ret_object != NULL};
    int r;

    if (!compute)
        return message_fail(-EINVAL, "nothing to compute with (NULL)");
    while ((r = find(&once)) == 0) {
        r = take_turn(&once);
        if (r != 0)
            break;
    }
    if (r < 0)
        return r;
    if (ret_object)
        *ret_object = once.object;
    return 0;
}
