/* redis, over a Unix socket of its own, without persistence: a client of RESP by hand. */
#include "bench/pipeline.h"
#include "bench/process.h"
#include "bench/run.h"
#include "bench/stream.h"
#include "bench/subject.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char socket_path[RUN_PATH];
static struct stream *opened; /* by the last open_first */

static pid_t start(void)
{
    const char *arguments[] = {"redis-server", "--port",      "0",  "--unixsocket",
                               socket_path,    "--save",      "",   "--appendonly",
                               "no",           "--daemonize", "no", NULL};

    run_path(socket_path, "redis");
    return process_serve(arguments, socket_path);
}

static void *open_redis(bool writes)
{
    (void)writes;
    return stream_open(socket_path);
}

static void close_redis(void *connection)
{
    stream_close(connection);
}

/* A command with one key as its argument. */
static int write_command(char text[COMMAND_MAX], const char *command, const struct key *key)
{
    return snprintf(text, COMMAND_MAX, "*2\r\n$%zu\r\n%s\r\n$%d\r\n%.*s\r\n", strlen(command),
                    command, KEY_BYTES, KEY_BYTES, key->bytes);
}

static void ask(struct stream *stream, const char *command, const struct key *key)
{
    char text[COMMAND_MAX];

    stream_send_text(stream, text, (size_t)write_command(text, command, key));
}

static void get(void *connection, const struct key *key, uint32_t size)
{
    struct stream *stream = connection;
    size_t line;

    ask(stream, "GET", key);
    line = stream_line(stream);
    if (strtol(stream->buffer + 1, NULL, 10) != (long)size)
        run_fail("redis answered %.*s", (int)line, stream->buffer);
    stream_receive(stream, line + size + 2);
    subject_seen = (uint8_t)stream->buffer[line];
}

static void exists(void *connection, const struct key *key, uint32_t size)
{
    (void)size;
    ask(connection, "EXISTS", key);
    stream_expect(connection, ":1\r\n");
}

static void open_first(void *connection, const struct key *key, uint32_t size)
{
    (void)connection;
    opened = stream_open(socket_path);
    get(opened, key, size);
}

static void close_opened(void *connection, const struct key *key, uint32_t size)
{
    (void)connection;
    (void)key;
    (void)size;
    stream_close(opened);
}

/* ---- changes ---- */

static int write_set(char text[COMMAND_MAX], const struct key *key, uint32_t size)
{
    return snprintf(text, COMMAND_MAX, "*3\r\n$3\r\nSET\r\n$%d\r\n%.*s\r\n$%u\r\n", KEY_BYTES,
                    KEY_BYTES, key->bytes, (unsigned)size);
}

static void put(void *connection, const struct key *key, uint32_t size)
{
    char text[COMMAND_MAX];
    struct iovec parts[] = {stream_part(text, (size_t)write_set(text, key, size)),
                            stream_part(keys_value(), size), stream_part("\r\n", 2)};

    stream_send(connection, parts, 3);
    stream_expect(connection, "+OK\r\n");
}

static void copy(void *connection, const struct key *key, uint32_t size)
{
    const struct key twin = key_twin(key);
    char text[COMMAND_MAX];
    int length = snprintf(text, sizeof(text),
                          "*4\r\n$4\r\nCOPY\r\n$%d\r\n%.*s\r\n$%d\r\n%.*s\r\n$7\r\nREPLACE\r\n",
                          KEY_BYTES, KEY_BYTES, key->bytes, KEY_BYTES, KEY_BYTES, twin.bytes);

    (void)size;
    stream_send_text(connection, text, (size_t)length);
    stream_expect(connection, ":1\r\n");
}

static void rename_key(struct stream *stream, const struct key *from, const struct key *to)
{
    char text[COMMAND_MAX];
    int length =
        snprintf(text, sizeof(text), "*3\r\n$6\r\nRENAME\r\n$%d\r\n%.*s\r\n$%d\r\n%.*s\r\n",
                 KEY_BYTES, KEY_BYTES, from->bytes, KEY_BYTES, KEY_BYTES, to->bytes);

    stream_send_text(stream, text, (size_t)length);
}

static void move(void *connection, const struct key *key, uint32_t size)
{
    const struct key twin = key_twin(key);

    (void)size;
    rename_key(connection, key, &twin);
    stream_expect(connection, "+OK\r\n");
}

/* The object is where the last move has left it, or was never moved. */
static void move_back(void *connection, const struct key *key, uint32_t size)
{
    const struct key twin = key_twin(key);
    struct stream *stream = connection;

    (void)size;
    rename_key(stream, &twin, key);
    stream_line(stream);
    if (stream->buffer[0] != '-')
        stream_expect(stream, "+OK\r\n");
}

static void delete (void *connection, const struct key *key, uint32_t size)
{
    (void)size;
    ask(connection, "DEL", key);
    stream_expect(connection, ":1\r\n");
}

static const struct pipeline pipeline = {.write = write_set, .answer = "+OK\r\n"};

static void fill(const struct objects *objects)
{
    pipeline_fill(&pipeline, socket_path, objects);
}

static void put_batch(void *connection, const struct key *key, uint32_t size)
{
    pipeline_batch(&pipeline, connection, key, size);
}

const struct subject subject_redis = {
    .name = "redis",
    .id = "redis",
    .needs = "redis-server",
    .start = start,
    .open = open_redis,
    .close = close_redis,
    .fill = fill,
    .calls = {[CALL_GET] = get,
              [CALL_EXISTS] = exists,
              [CALL_OPEN] = open_first,
              [CALL_PUT] = put,
              [CALL_COPY] = copy,
              [CALL_MOVE] = move,
              [CALL_DELETE] = delete,
              [CALL_BATCH] = put_batch},
    .before = {[CALL_MOVE] = move_back, [CALL_DELETE] = put},
    .after = {[CALL_OPEN] = close_opened},
};
