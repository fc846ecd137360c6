#include "writer.h"

#include "channel_private.h"
#include "deadline.h"
#include "fork.h"
#include "key.h"
#include "message.h"
#include "object.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* The channel of a writer that has ended, whose buffer is warm, or a new one. */
static int writer_take_channel(struct memstore_writer *writer)
{
    int64_t deadline = deadline_in(writer->store->timeout);
    int r = pool_take(writer->store, POOL_BUILDS, deadline, &writer->channel);

    if (r < 0)
        return r;
    r = channel_take_bulk(writer->channel, deadline);
    return r < 0 ? channel_fail(writer->channel, r) : 0;
}

static void writer_leave_channel(struct memstore_writer *writer)
{
    struct channel *channel = writer->channel;

    if (!channel)
        return;
    if (writer->owner != fork_generation()) {
        channel_destroy(channel);
        return;
    }
    /* The daemon gives back the memory of what it has read; it knows nothing of this. */
    if (!writer->is_put)
        bulk_trim(&channel->bulk, 0, writer->size);
    channel_give_bulk(channel);
    pool_give(writer->store, POOL_BUILDS, channel);
}

int writer_start(struct memstore_writer *writer, struct memstore *store, const void *key,
                 size_t key_length, const struct memstore_put_options *options)
{
    int r;

    *writer = (struct memstore_writer){.store = store, .owner = fork_generation()};
    r = put_head_init(&writer->head, key, key_length, options);
    if (r < 0)
        return r;
    r = ephemeral_refuse(writer->head.is_ephemeral);
    if (r < 0) {
        put_head_finish(&writer->head);
        return r;
    }
    if (key_length > 0)
        memcpy(writer->key, key, key_length);
    writer->key_length = key_length;
    r = writer_take_channel(writer);
    if (r < 0)
        writer_finish(writer);
    else
        direct_suspect(&store->direct);
    return r;
}

void writer_finish(struct memstore_writer *writer)
{
    writer_leave_channel(writer);
    put_head_finish(&writer->head);
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

int writer_grow(struct memstore_writer *writer, size_t size, void **ret_place)
{
    int r = writer_check(writer);

    if (r < 0)
        return r;
    if (size > VALUE_MAX - writer->size)
        return writer_fail(writer, -EFBIG);
    r = bulk_reserve(&writer->channel->bulk, writer->size + size);
    if (r < 0)
        return writer_fail(writer, r);
    *ret_place = writer->channel->bulk.data + writer->size;
    writer->size += size;
    return 0;
}

int writer_put(struct memstore_writer *writer, struct memstore_object **ret_object)
{
    struct request request = {.operation = OPERATION_PUT,
                              .condition = put_head_condition(&writer->head),
                              .parts = {{writer->head.bytes, writer->head.length}}};
    struct channel *channel = writer->channel;
    struct answer answer;
    int r = writer_check(writer);

    if (r < 0)
        return r;
    request.value = (struct part){channel->bulk.data, writer->size};
    r = channel_call(channel, &request, deadline_in(writer->store->timeout), &answer);
    if (r < 0)
        return r;
    writer->is_put = true;
    if (answer.status < 0)
        r = key_fail(&answer, "put", writer->key, writer->key_length);
    else
        r = object_from_answer(&answer, writer->key, writer->key_length, ret_object);
    return channel_done(channel, &answer, r);
}

int memstore_writer_open(struct memstore *store, const void *key, size_t key_length,
                         const struct memstore_put_options *options,
                         struct memstore_writer **ret_writer)
{
    struct memstore_writer *writer = malloc(sizeof(*writer));
    int r;

    if (!writer)
        return message_fail(-ENOMEM, "out of memory");
    r = writer_start(writer, store, key, key_length, options);
    if (r < 0)
        free(writer);
    else
        *ret_writer = writer;
    return r;
}

int memstore_writer_write(struct memstore_writer *writer, const void *data, size_t size)
{
    void *place = NULL;
    int r = writer_grow(writer, size, &place);

    if (r < 0 || size == 0)
        return r;
    assert(place);
    memcpy(place, data, size);
    return 0;
}

int memstore_writer_commit(struct memstore_writer *writer, struct memstore_object **ret_object)
{
    int r = writer_put(writer, ret_object);

    memstore_writer_abort(writer);
    return r;
}

void memstore_writer_abort(struct memstore_writer *writer)
{
    if (writer)
        writer_finish(writer);
    free(writer);
}
