/* memstore itself: as a program has it, and over its socket alone. */
#include "bench/client.h"
#include "bench/extras.h"
#include "bench/process.h"
#include "bench/run.h"
#include "bench/subject.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char socket_path[RUN_PATH];
static struct client *opened; /* by the last open_first */

static pid_t start(void)
{
    char program[256], data[RUN_PATH];
    const char *arguments[] = {program,      "--socket", socket_path,    "--data", data,
                               "--max-size", "2G",       "--max-memory", "4G",     NULL};

    snprintf(program, sizeof(program), "%s/memstored", settings.build);
    run_path(socket_path, "memstore");
    run_path(data, "memstore-data");
    return process_serve(arguments, socket_path);
}

static struct client *open_as_program(void)
{
    return client_open(socket_path, MEMSTORE_READS_DIRECT, MEMSTORE_CALLS_AUTO);
}

static struct client *open_as_stranger(void)
{
    return client_open(socket_path, MEMSTORE_READS_SOCKET, MEMSTORE_CALLS_SOCKET);
}

static void *open_direct(bool writes)
{
    (void)writes;
    return open_as_program();
}

static void *open_socket(bool writes)
{
    (void)writes;
    return open_as_stranger();
}

static void close_store(void *connection)
{
    client_close(connection);
}

static struct memstore *store_of(void *connection)
{
    return ((struct client *)connection)->store;
}

/* ---- reads ---- */

static void see(const void *value, size_t actual, uint32_t size)
{
    if (actual != size)
        run_fail("memstore: a value has %zu bytes, not %u", actual, (unsigned)size);
    subject_seen = *(const uint8_t *)value;
}

static void get(void *connection, const struct key *key, uint32_t size)
{
    struct memstore_object *object;
    const void *value;
    size_t actual;

    client_expect(
        memstore_get(store_of(connection), key->bytes, KEY_BYTES, 0, MEMSTORE_TO_END, &object),
        "memstore_get");
    value = memstore_object_value(object, &actual);
    see(value, actual, size);
    memstore_object_free(object);
}

static void view(void *connection, const struct key *key, uint32_t size)
{
    struct memstore_view *view;
    const void *value;
    size_t actual;

    client_expect(memstore_view(store_of(connection), key->bytes, KEY_BYTES, &view),
                  "memstore_view");
    value = memstore_view_value(view, &actual);
    see(value, actual, size);
    memstore_view_release(view);
}

static void exists(void *connection, const struct key *key, uint32_t size)
{
    (void)size;
    if (client_expect(memstore_exists(store_of(connection), key->bytes, KEY_BYTES),
                      "memstore_exists") != 1)
        run_fail("memstore: an object is not there");
}

static void info(void *connection, const struct key *key, uint32_t size)
{
    struct memstore_object *object;

    client_expect(memstore_info(store_of(connection), key->bytes, KEY_BYTES, &object),
                  "memstore_info");
    if (memstore_object_size(object) != size)
        run_fail("memstore: an object's size is wrong");
    memstore_object_free(object);
}

/* Looks at each object, as the caller of a list does. */
static void list(void *connection, const struct key *key, uint32_t size)
{
    struct memstore_list_options options = {.size = sizeof(options),
                                            .after = key->bytes,
                                            .after_length = KEY_BYTES,
                                            .limit = LIST_LENGTH,
                                            .has_limit = 1};
    struct memstore_list *objects;
    const struct memstore_object *object;

    client_expect(memstore_list(store_of(connection), "o", 1, &options, &objects), "memstore_list");
    for (size_t i = 0; (object = memstore_list_at(objects, i)); i++) {
        if (memstore_object_size(object) != size)
            run_fail("memstore: a listed size is wrong");
        subject_seen = *(const uint8_t *)memstore_object_key(object, NULL);
    }
    memstore_list_free(objects);
}

/* ---- opening ---- */

static void open_direct_first(void *connection, const struct key *key, uint32_t size)
{
    (void)connection;
    opened = open_as_program();
    get(opened, key, size);
}

static void open_socket_first(void *connection, const struct key *key, uint32_t size)
{
    (void)connection;
    opened = open_as_stranger();
    get(opened, key, size);
}

static void close_opened(void *connection, const struct key *key, uint32_t size)
{
    (void)connection;
    (void)key;
    (void)size;
    client_close(opened);
}

/* ---- changes ---- */

static void put(void *connection, const struct key *key, uint32_t size)
{
    client_put(connection, key, size);
}

static void copy(void *connection, const struct key *key, uint32_t size)
{
    const struct key twin = key_twin(key);

    (void)size;
    client_expect(
        memstore_copy(store_of(connection), key->bytes, KEY_BYTES, twin.bytes, KEY_BYTES, NULL),
        "memstore_copy");
}

static void move(void *connection, const struct key *key, uint32_t size)
{
    const struct key twin = key_twin(key);

    (void)size;
    client_expect(
        memstore_move(store_of(connection), key->bytes, KEY_BYTES, twin.bytes, KEY_BYTES, NULL),
        "memstore_move");
}

/* The object is where the last move has left it, or was never moved. */
static void move_back(void *connection, const struct key *key, uint32_t size)
{
    const struct key twin = key_twin(key);
    int r = memstore_move(store_of(connection), twin.bytes, KEY_BYTES, key->bytes, KEY_BYTES, NULL);

    (void)size;
    if (r != -ENOENT)
        client_expect(r, "memstore_move");
}

static void delete (void *connection, const struct key *key, uint32_t size)
{
    (void)size;
    client_expect(memstore_delete(store_of(connection), key->bytes, KEY_BYTES), "memstore_delete");
}

static void put_batch(void *connection, const struct key *key, uint32_t size)
{
    client_put_batch(connection, key, size);
}

static void fill(const struct objects *objects)
{
    struct client *client = client_open(socket_path, MEMSTORE_READS_AUTO, MEMSTORE_CALLS_AUTO);

    client_fill(client, objects);
    client_close(client);
}

pid_t subject_start_waiter(void)
{
    return extra_waiter_start(socket_path);
}

struct client *subject_open_full(void)
{
    return extra_open_full(socket_path);
}

struct client *subject_open_cache(const char *bucket, uint64_t objects)
{
    return extra_open_cache(socket_path, bucket, objects);
}

const struct subject subject_memstore = {
    .name = "memstore",
    .id = "memstore",
    .start = start,
    .open = open_direct,
    .close = close_store,
    .fill = fill,
    .calls = {[CALL_GET] = get,
              [CALL_VIEW] = view,
              [CALL_EXISTS] = exists,
              [CALL_INFO] = info,
              [CALL_LIST] = list,
              [CALL_OPEN] = open_direct_first,
              [CALL_PUT] = put,
              [CALL_COPY] = copy,
              [CALL_MOVE] = move,
              [CALL_DELETE] = delete,
              [CALL_BATCH] = put_batch,
              [CALL_BUCKET] = extra_bucket,
              [CALL_PUT_TTL] = extra_put_ttl,
              [CALL_PUT_LRU] = extra_put_lru,
              [CALL_WAKE] = extra_wake},
    .before = {[CALL_MOVE] = move_back, [CALL_DELETE] = put},
    .after = {[CALL_OPEN] = close_opened},
};

/* The same daemon, asked over its socket whatever it is. */
const struct subject subject_socket = {
    .name = "socket only",
    .id = "socket",
    .open = open_socket,
    .close = close_store,
    .calls = {[CALL_GET] = get,
              [CALL_VIEW] = view,
              [CALL_EXISTS] = exists,
              [CALL_INFO] = info,
              [CALL_LIST] = list,
              [CALL_OPEN] = open_socket_first,
              [CALL_PUT] = put,
              [CALL_COPY] = copy,
              [CALL_MOVE] = move,
              [CALL_DELETE] = delete,
              [CALL_BATCH] = put_batch,
              [CALL_BUCKET] = extra_bucket,
              [CALL_PUT_TTL] = extra_put_ttl,
              [CALL_WAKE] = extra_wake},
    .before = {[CALL_MOVE] = move_back, [CALL_DELETE] = put},
    .after = {[CALL_OPEN] = close_opened},
};
