/* Values in and out: the commands put and get. */
#ifndef MEMSTORE_CLI_TRANSFER_H
#define MEMSTORE_CLI_TRANSFER_H

#include "client/memstore.h"
#include "input.h"
#include "key.h"
#include "progress.h"
#include "status.h"

#include <stddef.h>

struct arguments;

/* Bytes at a time. An input that ends within the first piece is put in one call. */
#define TRANSFER_PIECE ((size_t)256 * 1024)

/* A put on its way. */
struct upload {
    struct memstore *store;
    struct key key;
    struct input input;
    struct memstore_put_options options;
    char *piece; /* room for TRANSFER_PIECE bytes */
    size_t piece_size;
    struct progress *progress;
};

/* Puts the piece that has been read, and what else the input gives. */
enum status transfer_put_rest(const struct upload *upload);

/* What the command line says to store with a value. */
struct memstore_put_options transfer_put_options(const struct arguments *arguments);

/* Writes the value of an object to a file; NULL is standard output. */
enum status transfer_write(const struct memstore_object *object, const char *key, const char *path);

enum status transfer_put(struct memstore *store, const struct arguments *arguments);

enum status transfer_get(struct memstore *store, const struct arguments *arguments);

#endif
