/* A value that is put together in the bulk buffer of a channel of its own, from where it is put. */
#ifndef MEMSTORE_WRITER_H
#define MEMSTORE_WRITER_H

#include "handle.h"
#include "put_head.h"

struct memstore_writer {
    struct memstore *store;
    struct channel *channel;
    unsigned owner; /* the process whose buffer it is */
    uint8_t key[KEY_MAX];
    size_t key_length;
    struct put_head head;
    uint64_t size; /* of the value so far */
    int error;     /* the first one; then there is no value any more */
    bool is_put;   /* the daemon has read the buffer */
};

/* Errors as memstore_writer_open; then there is nothing to finish. */
int writer_start(struct memstore_writer *writer, struct memstore *store, const void *key,
                 size_t key_length, const struct memstore_put_options *options);

/* Makes the value longer, and returns where the new bytes go. Those that were there may move.
 * -EFBIG, -ENOMEM; the message is set. */
int writer_grow(struct memstore_writer *writer, size_t size, void **ret_place);

/* Puts the value; errors as memstore_put. */
int writer_put(struct memstore_writer *writer, struct memstore_object **ret_object);

void writer_finish(struct memstore_writer *writer);

#endif
