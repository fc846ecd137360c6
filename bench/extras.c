#include "bench/extras.h"

#include "bench/client.h"
#include "bench/process.h"
#include "bench/run.h"

#include <errno.h>
#include <signal.h>
#include <string.h>

#define LIFETIME_MS (60 * 60 * 1000)
#define PATIENCE_MS 60000

static const char ping[] = "ping", pong[] = "pong";

static struct memstore *store_of(void *connection)
{
    return ((struct client *)connection)->store;
}

void extra_bucket(void *connection, const struct key *key, uint32_t size)
{
    struct memstore *store = store_of(connection);
    char name[KEY_BYTES + 1] = {0};

    (void)size;
    memcpy(name, key->bytes, KEY_BYTES);
    client_expect(memstore_bucket_create(store, name, NULL), "memstore_bucket_create");
    client_expect(memstore_bucket_drop(store, name), "memstore_bucket_drop");
}

void extra_put_ttl(void *connection, const struct key *key, uint32_t size)
{
    const struct memstore_put_options options = {.size = sizeof(options), .ttl_ms = LIFETIME_MS};

    client_expect(memstore_put(store_of(connection), key->bytes, KEY_BYTES, keys_value(), size,
                               &options, NULL),
                  "memstore_put");
}

/* ---- caches ---- */

#define FULL 10000 /* objects in a full bucket */

struct client *extra_open_cache(const char *socket, const char *bucket, uint64_t objects)
{
    const struct memstore_bucket_options options = {.size = sizeof(options),
                                                    .has_max_objects = 1,
                                                    .max_objects = objects,
                                                    .has_policy = 1,
                                                    .policy = MEMSTORE_POLICY_LRU};
    struct client *client = client_open(socket, MEMSTORE_READS_AUTO, MEMSTORE_CALLS_AUTO);

    client_expect(memstore_bucket_create(client->store, bucket, &options),
                  "memstore_bucket_create");
    client_close(client);
    return client_open_bucket(socket, bucket);
}

void extra_put_lru(void *connection, const struct key *key, uint32_t size)
{
    static struct key fresh[4 * FULL]; /* when one comes again, it has long been evicted */
    static size_t next;

    (void)key;
    if (fresh[0].bytes[0] == 0) {
        for (size_t i = 0; i < sizeof(fresh) / sizeof(fresh[0]); i++)
            fresh[i] = key_of_object('f', i);
    }
    client_put(connection, &fresh[next++ % (sizeof(fresh) / sizeof(fresh[0]))], size);
}

struct client *extra_open_full(const char *socket)
{
    struct client *client = extra_open_cache(socket, "full", FULL);

    for (int i = 0; i < FULL; i++)
        extra_put_lru(client, NULL, SMALL);
    return client;
}

bool extra_cache_use(struct client *client, uint32_t number)
{
    const struct key key = key_of_object('c', number);
    struct memstore_object *object;
    int r = memstore_get(client->store, key.bytes, KEY_BYTES, 0, MEMSTORE_TO_END, &object);

    if (r == 0) {
        memstore_object_free(object);
        return true;
    }
    if (r != -ENOENT)
        client_expect(r, "memstore_get");
    client_put(client, &key, 16);
    return false;
}

/* ---- waking ---- */

/* Waits until the object is another one than at that version, and moves the version on. */
static void await(struct memstore *store, const char *key, uint64_t *version)
{
    struct memstore_object *object;

    client_expect(memstore_wait(store, key, strlen(key), MEMSTORE_UNTIL_CHANGED, *version,
                                PATIENCE_MS, &object),
                  "memstore_wait");
    *version = memstore_object_version(object);
    memstore_object_free(object);
}

static void tell(struct memstore *store, const char *key)
{
    client_expect(memstore_put(store, key, strlen(key), "", 0, NULL, NULL), "memstore_put");
}

pid_t extra_waiter_start(const char *socket)
{
    pid_t pid = process_fork();
    struct client *client;
    uint64_t version = 0;

    if (pid != 0)
        return pid;
    signal(SIGTERM, SIG_DFL); /* it waits most of the time, and looks at nothing else */
    client = client_open(socket, MEMSTORE_READS_AUTO, MEMSTORE_CALLS_AUTO);
    for (;;) {
        await(client->store, ping, &version);
        tell(client->store, pong);
    }
}

void extra_wake(void *connection, const struct key *key, uint32_t size)
{
    static uint64_t version;

    (void)key;
    (void)size;
    tell(store_of(connection), ping);
    await(store_of(connection), pong, &version);
}
