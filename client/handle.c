#include "handle.h"

#include "common/bucket.h"
#include "common/socket_path.h"
#include "deadline.h"
#include "fork.h"
#include "message.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define TIMEOUT_DEFAULT 5000

int options_read(void *ours, size_t size, const void *callers)
{
    const uint8_t *bytes = callers;
    size_t given;

    memset(ours, 0, size);
    if (!callers)
        return 0;
    memcpy(&given, callers, sizeof(given)); /* `size` is the first member of each */
    if (given < sizeof(given))
        return message_fail(-EINVAL, "options without their size: set its size member");
    for (size_t i = size; i < given; i++)
        if (bytes[i] != 0)
            return message_fail(-EINVAL, "options that this version of libmemstore does not know");
    memcpy(ours, callers, given < size ? given : size);
    return 0;
}

int key_check(const void *key, size_t length)
{
    if (length > KEY_MAX)
        return message_fail(-ENAMETOOLONG, "key of %zu bytes is too long: at most %d", length,
                            KEY_MAX);
    if (!key && length > 0)
        return message_fail(-EINVAL, "no key (NULL), but a length");
    return 0;
}

int bucket_check(const char *name)
{
    char text[QUOTED_SIZE];
    size_t length = name ? strnlen(name, BUCKET_NAME_MAX + 1) : 0;

    switch (bucket_name_check(name, length)) {
    case 0:
        return 0;
    case -ENAMETOOLONG:
        return message_fail(-ENAMETOOLONG, "the bucket's name is too long: at most %d bytes",
                            BUCKET_NAME_MAX);
    default:
        return message_fail(-EINVAL,
                            "a bucket cannot be named %s: its name is made of letters, digits, "
                            "'.', '_' and '-'",
                            quote(text, name, length));
    }
}

static int socket_choose(const char *wanted, char **ret_socket)
{
    char path[SOCKET_PATH_SIZE];
    int r;

    if (!wanted) {
        r = socket_path_default(path);
        if (r == -ENAMETOOLONG)
            return message_fail(r, "the default socket path is too long: at most %zu bytes",
                                SOCKET_PATH_SIZE - 1);
        if (r < 0)
            return message_fail(r, "no folder for a socket: set MEMSTORE_SOCKET");
        wanted = path;
    } else if (!*wanted) {
        return message_fail(-EINVAL, "the socket path is empty");
    }
    *ret_socket = strdup(wanted);
    return *ret_socket ? 0 : message_fail(-ENOMEM, "out of memory");
}

static int bucket_choose(const char *wanted, struct identity *identity)
{
    const char *variable = getenv("MEMSTORE_BUCKET");
    const char *name = variable && *variable ? variable : "default";
    int r;

    if (wanted)
        name = wanted;
    r = bucket_check(name);
    if (r == 0)
        identity_init(identity, name);
    return r;
}

static int reads_choose(enum memstore_reads wanted, enum memstore_reads *ret_reads)
{
    const char *variable = getenv("MEMSTORE_READS");

    if (wanted != MEMSTORE_READS_AUTO && wanted != MEMSTORE_READS_DIRECT &&
        wanted != MEMSTORE_READS_SOCKET)
        return message_fail(-EINVAL, "no such way to read: %d", (int)wanted);
    *ret_reads = wanted;
    if (wanted != MEMSTORE_READS_AUTO || !variable || !*variable)
        return 0;
    if (strcmp(variable, "direct") == 0)
        *ret_reads = MEMSTORE_READS_DIRECT;
    else if (strcmp(variable, "socket") == 0)
        *ret_reads = MEMSTORE_READS_SOCKET;
    else if (strcmp(variable, "auto") != 0)
        return message_fail(-EINVAL, "MEMSTORE_READS is '%s': set it to auto, direct or socket",
                            variable);
    return 0;
}

static int calls_choose(enum memstore_calls wanted, enum memstore_calls *ret_calls)
{
    const char *variable = getenv("MEMSTORE_CALLS");

    if (wanted != MEMSTORE_CALLS_AUTO && wanted != MEMSTORE_CALLS_RING &&
        wanted != MEMSTORE_CALLS_SOCKET)
        return message_fail(-EINVAL, "no such way to call: %d", (int)wanted);
    *ret_calls = wanted;
    if (wanted != MEMSTORE_CALLS_AUTO || !variable || !*variable)
        return 0;
    if (strcmp(variable, "ring") == 0)
        *ret_calls = MEMSTORE_CALLS_RING;
    else if (strcmp(variable, "socket") == 0)
        *ret_calls = MEMSTORE_CALLS_SOCKET;
    else if (strcmp(variable, "auto") != 0)
        return message_fail(-EINVAL, "MEMSTORE_CALLS is '%s': set it to auto, ring or socket",
                            variable);
    return 0;
}

static int handle_init(struct memstore *store, const struct memstore_options *options)
{
    int r;

    if (options->timeout_ms < 0)
        return message_fail(-EINVAL, "the timeout is negative");
    store->timeout = options->timeout_ms > 0 ? options->timeout_ms : TIMEOUT_DEFAULT;
    r = socket_choose(options->socket, &store->socket);
    if (r == 0)
        r = bucket_choose(options->bucket, &store->identity);
    if (r < 0)
        return r;
    r = fork_watch();
    if (r < 0)
        return message_fail(r, "out of memory");
    r = reads_choose(options->reads, &store->reads);
    if (r == 0)
        r = calls_choose(options->calls, &store->calls);
    if (r < 0)
        return r;
    store->generation = fork_generation();
    channel_init(&store->channel, store->socket, &store->identity, store->calls);
    channel_init(&store->owner, store->socket, &store->identity, store->calls);
    return channel_connect(&store->channel, deadline_in(store->timeout));
}

int memstore_open(const struct memstore_options *options, struct memstore **ret_store)
{
    struct memstore_options ours;
    struct memstore *store;
    int r = options_read(&ours, sizeof(ours), options);

    if (r < 0)
        return r;
    store = aligned_alloc(_Alignof(struct memstore), sizeof(*store));
    if (!store)
        return message_fail(-ENOMEM, "out of memory");
    memset(store, 0, sizeof(*store));
    turns_init(&store->turns);
    direct_init(&store->direct);
    channel_init(&store->channel, NULL, NULL, MEMSTORE_CALLS_AUTO);
    channel_init(&store->owner, NULL, NULL, MEMSTORE_CALLS_AUTO);
    r = handle_init(store, &ours);
    if (r < 0) {
        memstore_close(store);
        return r;
    }
    *ret_store = store;
    return 0;
}

void memstore_close(struct memstore *store)
{
    if (!store)
        return;
    direct_finish(&store->direct);
    channel_reset(&store->channel);
    channel_reset(&store->owner);
    pool_finish(&store->pool);
    turns_finish(&store->turns);
    free(store->socket);
    free(store);
}

/*
 * After a fork the connection and the bulk buffer are the parent's: two processes that speak on one
 * connection would get each other's answers. Nor do the threads exist that had or awaited a turn.
 */
static void handle_adopt(struct memstore *store)
{
    turns_init(&store->turns);
    identity_adopt(&store->identity);
    channel_reset(&store->channel);
    channel_reset(&store->owner);
    pool_finish(&store->pool);
    direct_forget(&store->direct);
}

void handle_adopt_if_forked(struct memstore *store)
{
    static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

    if (atomic_load_explicit(&store->generation, memory_order_acquire) == fork_generation())
        return;
    /* Threads of the child may come here at once. */
    pthread_mutex_lock(&mutex);
    if (atomic_load(&store->generation) != fork_generation())
        handle_adopt(store);
    atomic_store(&store->generation, fork_generation());
    pthread_mutex_unlock(&mutex);
}

int handle_take_turn(struct memstore *store, int64_t deadline)
{
    if (turns_take(&store->turns, deadline) < 0)
        return message_fail(-ETIMEDOUT, "other threads used the handle for all of %d ms",
                            store->timeout);
    return 0;
}

void handle_pass_turn(struct memstore *store)
{
    direct_suspect(&store->direct);
    turns_pass(&store->turns);
}

int handle_call(struct memstore *store, struct request *request, struct answer *ret_answer)
{
    const int64_t deadline = deadline_in(store->timeout);
    int r;

    handle_adopt_if_forked(store);
    r = handle_take_turn(store, deadline);
    if (r < 0)
        return r;
    store->called = request->is_owned ? &store->owner : &store->channel;
    r = channel_call(store->called, request, deadline, ret_answer);
    if (r < 0)
        turns_pass(&store->turns);
    else
        direct_suspect(&store->direct);
    return r;
}

int handle_done(struct memstore *store, const struct answer *answer, int result)
{
    result = channel_done(store->called, answer, result);
    turns_pass(&store->turns);
    return result;
}
