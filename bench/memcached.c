/* memcached, over a Unix socket of its own: a client of its text protocol by hand. */
#include "bench/pipeline.h"
#include "bench/process.h"
#include "bench/run.h"
#include "bench/stream.h"
#include "bench/subject.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char socket_path[RUN_PATH];
static struct stream *opened; /* by the last open_first */

static pid_t start(void)
{
    /* Items of 64 MiB and a bit; memory for all, so that nothing is evicted. It refuses to run as
     * root unless it is told to. */
    const char *arguments[] = {"memcached", "-s", socket_path, "-m", "4096", "-I",
                               "128m",      "-U", "0",         "-u", "root", NULL};

    if (getuid() != 0)
        arguments[9] = NULL;
    run_path(socket_path, "memcached");
    return process_serve(arguments, socket_path);
}

static void *open_memcached(bool writes)
{
    (void)writes;
    return stream_open(socket_path);
}

static void close_memcached(void *connection)
{
    stream_close(connection);
}

/* A command with one key as its argument. */
static void ask(struct stream *stream, const char *command, const struct key *key)
{
    char text[COMMAND_MAX];
    int length = snprintf(text, sizeof(text), "%s %.*s\r\n", command, KEY_BYTES, key->bytes);

    stream_send_text(stream, text, (size_t)length);
}

/* VALUE key flags size, the value, END. */
static void get(void *connection, const struct key *key, uint32_t size)
{
    struct stream *stream = connection;
    size_t line;
    const char *size_text;

    ask(stream, "get", key);
    line = stream_line(stream);
    size_text = memrchr(stream->buffer, ' ', line);
    if (!size_text || strtol(size_text, NULL, 10) != (long)size)
        run_fail("memcached answered %.*s", (int)line, stream->buffer);
    stream_receive(stream, line + size + strlen("\r\nEND\r\n"));
    subject_seen = (uint8_t)stream->buffer[line];
}

static void exists(void *connection, const struct key *key, uint32_t size)
{
    (void)size;
    ask(connection, "mg", key);
    stream_expect(connection, "HD\r\n");
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
    return snprintf(text, COMMAND_MAX, "set %.*s 0 0 %u\r\n", KEY_BYTES, key->bytes,
                    (unsigned)size);
}

static void put(void *connection, const struct key *key, uint32_t size)
{
    char text[COMMAND_MAX];
    struct iovec parts[] = {stream_part(text, (size_t)write_set(text, key, size)),
                            stream_part(keys_value(), size), stream_part("\r\n", 2)};

    stream_send(connection, parts, 3);
    stream_expect(connection, "STORED\r\n");
}

static void delete (void *connection, const struct key *key, uint32_t size)
{
    (void)size;
    ask(connection, "delete", key);
    stream_expect(connection, "DELETED\r\n");
}

static const struct pipeline pipeline = {.write = write_set, .answer = "STORED\r\n"};

static void fill(const struct objects *objects)
{
    pipeline_fill(&pipeline, socket_path, objects);
}

static void put_batch(void *connection, const struct key *key, uint32_t size)
{
    pipeline_batch(&pipeline, connection, key, size);
}

const struct subject subject_memcached = {
    .name = "memcached",
    .id = "memcached",
    .needs = "memcached",
    .start = start,
    .open = open_memcached,
    .close = close_memcached,
    .fill = fill,
    .calls = {[CALL_GET] = get,
              [CALL_EXISTS] = exists,
              [CALL_OPEN] = open_first,
              [CALL_PUT] = put,
              [CALL_DELETE] = delete,
              [CALL_BATCH] = put_batch},
    .before = {[CALL_DELETE] = put},
    .after = {[CALL_OPEN] = close_opened},
};
