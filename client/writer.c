#include "deadline.h"
#include "fork.h"
#include "handle.h"
#include "key.h"
#include "message.h"
#include "object.h"
#include "put_head.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* The value grows in the bulk buffer of a channel of its own, from where the commit puts it. */
struct memstore_writer {
    struct channel channel;
    int timeout;    /* milliseconds of each call */
    unsigned owner; /* the process whose buffer it is */
    uint8_t key[KEY_MAX];
    size_t key_length;
    struct put_head head;
    uint64_t size; /* of the value so far */
    int error;     /* the first one; then there is no value any more */
};

static int writer_init(struct memstore_writer *writer, const struct memstore *store,
                       const void *key, size_t key_length,
                       const struct memstore_put_options *options)
{
    int r = put_head_init(&writer->head, key, key_length, options);

    if (r < 0)
        return r;
    if (key_length > 0)
        memcpy(writer->key, key, key_length);
    writer->key_length = key_length;
    writer->timeout = store->timeout;
    writer->owner = fork_generation();
    return channel_connect(&writer->channel, deadline_in(writer->timeout));
}

int memstore_writer_open(struct memstore *store, const void *key, size_t key_length,
                         const struct memstore_put_options *options,
                         struct memstore_writer **ret_writer)
{
    struct memstore_writer *writer = calloc(1, sizeof(*writer));
    int r;

    if (!writer)
        return message_fail(-ENOMEM, "out of memory");
    channel_init(&writer->channel, store->socket, store->bucket, store->calls);
    r = writer_init(writer, store, key, key_length, options);
    if (r < 0) {
        memstore_writer_abort(writer);
        return r;
    }
    direct_suspect(&store->direct);
    *ret_writer = writer;
    return 0;
}

/* Errors stay: a value with a gap must not be committed. */
static int writer_fail(struct memstore_writer *writer, int error)
{
    char text[QUOTED_SIZE];

    writer->error = error;
    quote(text, writer->key, writer->key_length);
    if (error == -EFBIG)
        return message_fail(error,
                            "cannot write %s: over %llu bytes, or over this process's limit on "
                            "file sizes (RLIMIT_FSIZE)",
                            text, VALUE_MAX);
    return message_fail(error, "cannot write %s after %llu bytes: %s", text,
                        (unsigned long long)writer->size, memstore_strerror(error));
}

static int writer_check(struct memstore_writer *writer)
{
    if (writer->error < 0)
        return writer_fail(writer, writer->error);
    /* A forked child has the same buffer as its parent, not a copy. */
    if (writer->owner != fork_generation())
        return message_fail(-EINVAL, "a writer belongs to the process that opened it");
    return 0;
}

int memstore_writer_write(struct memstore_writer *writer, const void *data, size_t size)
{
    int r = writer_check(writer);

    if (r < 0 || size == 0)
        return r;
    if (size > VALUE_MAX - writer->size)
        return writer_fail(writer, -EFBIG);
    r = bulk_reserve(&writer->channel.bulk, writer->size + size);
    if (r < 0)
        return writer_fail(writer, r);
    memcpy(writer->channel.bulk.data + writer->size, data, size);
    writer->size += size;
    return 0;
}

static int writer_put(struct memstore_writer *writer, struct memstore_object **ret_object)
{
    struct channel *channel = &writer->channel;
    struct request request = {.operation = OPERATION_PUT,
                              .parts = {{writer->head.bytes, writer->head.length}},
                              .value = {channel->bulk.data, writer->size}};
    struct answer answer;
    int r = channel_call(channel, &request, deadline_in(writer->timeout), &answer);

    if (r < 0)
        return r;
    if (answer.status < 0)
        r = key_fail(&answer, "put", writer->key, writer->key_length);
    else
        r = object_from_answer(&answer, writer->key, writer->key_length, ret_object);
    return channel_done(channel, &answer, r);
}

int memstore_writer_commit(struct memstore_writer *writer, struct memstore_object **ret_object)
{
    int r = writer_check(writer);

    if (r == 0)
        r = writer_put(writer, ret_object);
    memstore_writer_abort(writer);
    return r;
}

void memstore_writer_abort(struct memstore_writer *writer)
{
    if (!writer)
        return;
    channel_reset(&writer->channel);
    put_head_finish(&writer->head);
    free(writer);
}
