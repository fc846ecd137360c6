#include "bench/extras.h"

#include "bench/client.h"
#include "bench/process.h"
#include "bench/run.h"

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
