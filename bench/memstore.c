/* memstore itself: as a program has it, and over its socket alone. */
#include "client/memstore.h"

#include "bench/process.h"
#include "bench/run.h"
#include "bench/subject.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TIMEOUT_MS 60000
#define FILLERS 8

static char socket_path[RUN_PATH];
static struct memstore *opened; /* by the last open_first */

/* For the library's calls: 0 or more is fine. */
static int expect(int result, const char *call)
{
    if (result < 0)
        run_fail("%s: %s", call, memstore_message());
    return result;
}

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

static struct memstore *open_store(enum memstore_reads reads, enum memstore_calls calls)
{
    struct memstore_options options = {.size = sizeof(options),
                                       .socket = socket_path,
                                       .timeout_ms = TIMEOUT_MS,
                                       .reads = reads,
                                       .calls = calls};
    struct memstore *store;

    expect(memstore_open(&options, &store), "memstore_open");
    return store;
}

static void *open_direct(bool writes)
{
    (void)writes;
    return open_store(MEMSTORE_READS_DIRECT, MEMSTORE_CALLS_AUTO);
}

static void *open_socket(bool writes)
{
    (void)writes;
    return open_store(MEMSTORE_READS_SOCKET, MEMSTORE_CALLS_SOCKET);
}

static void close_store(void *connection)
{
    memstore_close(connection);
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

    expect(memstore_get(connection, key->bytes, KEY_BYTES, 0, MEMSTORE_TO_END, &object),
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

    expect(memstore_view(connection, key->bytes, KEY_BYTES, &view), "memstore_view");
    value = memstore_view_value(view, &actual);
    see(value, actual, size);
    memstore_view_release(view);
}

static void exists(void *connection, const struct key *key, uint32_t size)
{
    (void)size;
    if (expect(memstore_exists(connection, key->bytes, KEY_BYTES), "memstore_exists") != 1)
        run_fail("memstore: an object is not there");
}

static void info(void *connection, const struct key *key, uint32_t size)
{
    struct memstore_object *object;

    expect(memstore_info(connection, key->bytes, KEY_BYTES, &object), "memstore_info");
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

    expect(memstore_list(connection, "o", 1, &options, &objects), "memstore_list");
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
    opened = open_store(MEMSTORE_READS_DIRECT, MEMSTORE_CALLS_AUTO);
    get(opened, key, size);
}

static void open_socket_first(void *connection, const struct key *key, uint32_t size)
{
    (void)connection;
    opened = open_store(MEMSTORE_READS_SOCKET, MEMSTORE_CALLS_SOCKET);
    get(opened, key, size);
}

static void close_opened(void *connection, const struct key *key, uint32_t size)
{
    (void)connection;
    (void)key;
    (void)size;
    memstore_close(opened);
}

/* ---- changes ---- */

static void put(void *connection, const struct key *key, uint32_t size)
{
    expect(memstore_put(connection, key->bytes, KEY_BYTES, keys_value(), size, NULL, NULL),
           "memstore_put");
}

static void copy(void *connection, const struct key *key, uint32_t size)
{
    const struct key twin = key_twin(key);

    (void)size;
    expect(memstore_copy(connection, key->bytes, KEY_BYTES, twin.bytes, KEY_BYTES, NULL),
           "memstore_copy");
}

static void move(void *connection, const struct key *key, uint32_t size)
{
    const struct key twin = key_twin(key);

    (void)size;
    expect(memstore_move(connection, key->bytes, KEY_BYTES, twin.bytes, KEY_BYTES, NULL),
           "memstore_move");
}

/* The object is where the last move has left it, or was never moved. */
static void move_back(void *connection, const struct key *key, uint32_t size)
{
    const struct key twin = key_twin(key);
    int r = memstore_move(connection, twin.bytes, KEY_BYTES, key->bytes, KEY_BYTES, NULL);

    (void)size;
    if (r != -ENOENT)
        expect(r, "memstore_move");
}

static void delete (void *connection, const struct key *key, uint32_t size)
{
    (void)size;
    expect(memstore_delete(connection, key->bytes, KEY_BYTES), "memstore_delete");
}

/* ---- filling ---- */

static void *fill_range(void *context)
{
    const struct objects *objects = context;
    struct memstore *store = open_store(MEMSTORE_READS_SOCKET, MEMSTORE_CALLS_AUTO);

    for (uint64_t i = objects->from; i < objects->to; i++) {
        const struct key key = key_of_object(objects->set, i);

        put(store, &key, objects->size);
        run_check();
    }
    memstore_close(store);
    return NULL;
}

/* Several at once: the daemon then takes many puts at a time. */
static void fill(const struct objects *objects)
{
    pthread_t threads[FILLERS];
    struct objects shares[FILLERS];
    uint64_t share = (objects->to - objects->from) / FILLERS;

    for (unsigned i = 0; i < FILLERS; i++) {
        shares[i] = *objects;
        shares[i].from = objects->from + i * share;
        shares[i].to = i + 1 == FILLERS ? objects->to : shares[i].from + share;
        if (pthread_create(&threads[i], NULL, fill_range, &shares[i]) != 0)
            run_fail("no thread could be started");
    }
    for (unsigned i = 0; i < FILLERS; i++)
        pthread_join(threads[i], NULL);
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
              [CALL_DELETE] = delete},
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
              [CALL_DELETE] = delete},
    .before = {[CALL_MOVE] = move_back, [CALL_DELETE] = put},
    .after = {[CALL_OPEN] = close_opened},
};
