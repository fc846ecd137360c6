#include "bench/client.h"

#include "bench/run.h"
#include "bench/subject.h"

#include <stdlib.h>

#define TIMEOUT_MS 60000

int client_expect(int result, const char *call)
{
    if (result < 0)
        run_fail("%s: %s", call, memstore_message());
    return result;
}

static struct client *open_with(const struct memstore_options *options)
{
    struct client *client = run_allocate(sizeof(*client));

    client_expect(memstore_open(options, &client->store), "memstore_open");
    return client;
}

struct client *client_open(const char *socket, enum memstore_reads reads, enum memstore_calls calls)
{
    return open_with(&(struct memstore_options){.size = sizeof(struct memstore_options),
                                                .socket = socket,
                                                .timeout_ms = TIMEOUT_MS,
                                                .reads = reads,
                                                .calls = calls});
}

struct client *client_open_bucket(const char *socket, const char *bucket)
{
    return open_with(&(struct memstore_options){.size = sizeof(struct memstore_options),
                                                .socket = socket,
                                                .bucket = bucket,
                                                .timeout_ms = TIMEOUT_MS});
}

void client_close(struct client *client)
{
    memstore_batch_destroy(client->batch);
    memstore_close(client->store);
    free(client);
}

void client_put(struct client *client, const struct key *key, uint32_t size)
{
    client_expect(
        memstore_put(client->store, key->bytes, KEY_BYTES, keys_value(), size, NULL, NULL),
        "memstore_put");
}

static struct memstore_batch *empty_batch(struct client *client)
{
    if (!client->batch)
        client_expect(memstore_batch_create(client->store, NULL, &client->batch),
                      "memstore_batch_create");
    memstore_batch_clear(client->batch);
    return client->batch;
}

static void append_put(struct memstore_batch *batch, const struct key *key, uint32_t size)
{
    client_expect(memstore_batch_put(batch, key->bytes, KEY_BYTES, keys_value(), size, NULL),
                  "memstore_batch_put");
}

static void run_batch(struct memstore_batch *batch)
{
    client_expect(memstore_batch_run(batch), "memstore_batch_run");
    if (memstore_batch_failed(batch) != memstore_batch_count(batch))
        client_expect(memstore_batch_status(batch, memstore_batch_failed(batch)),
                      "an operation of memstore_batch_run");
}

void client_put_batch(struct client *client, const struct key *key, uint32_t size)
{
    struct memstore_batch *batch = empty_batch(client);

    for (unsigned i = 0; i < BATCH_LENGTH; i++) {
        const struct key one = key_in_batch(key, i);

        append_put(batch, &one, size);
    }
    run_batch(batch);
}

void client_fill(struct client *client, const struct objects *objects)
{
    for (uint64_t i = objects->from; i < objects->to;) {
        struct memstore_batch *batch = empty_batch(client);

        for (unsigned j = 0; j < BATCH_LENGTH && i < objects->to; j++, i++) {
            const struct key key = key_of_object(objects->set, i);

            append_put(batch, &key, objects->size);
        }
        run_batch(batch);
        run_check();
    }
}

struct memstore_stats client_stats(struct client *client)
{
    struct memstore_stats stats;

    client_expect(memstore_stats(client->store, &stats, sizeof(stats)), "memstore_stats");
    return stats;
}
