#include "transfer.h"

#include "arguments.h"
#include "condition.h"
#include "ephemeral.h"
#include "output.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static enum status file_failed(const char *file, int error)
{
    complain("%s: %s", file, strerror(-error));
    return STATUS_FAILED;
}

static enum status put_failed(const struct upload *upload, int error)
{
    if (upload->input.fd == STDIN_FILENO)
        complain("%s", status_message(error));
    else
        complain("%s: %s", upload->input.name, status_message(error));
    return condition_status(upload->store, upload->options.condition, NULL, error,
                            status_of_store(error));
}

static enum status put_at_once(const struct upload *upload)
{
    int error = memstore_put(upload->store, upload->key.bytes, upload->key.length, upload->piece,
                             upload->piece_size, &upload->options, NULL);

    return error ? put_failed(upload, error) : STATUS_DONE;
}

/* Hands piece after piece to the writer, the one that is there already first. */
static enum status put_all_pieces(const struct upload *upload, struct memstore_writer *writer)
{
    struct input input = upload->input;
    size_t size = upload->piece_size;
    int error;

    while (size > 0) {
        error = memstore_writer_write(writer, upload->piece, size);
        if (error) {
            progress_finish(upload->progress);
            return put_failed(upload, error);
        }
        progress_add(upload->progress, size);
        error = input_read(&input, upload->piece, TRANSFER_PIECE, &size);
        if (error) {
            progress_finish(upload->progress);
            return file_failed(input.name, error);
        }
    }
    return STATUS_DONE;
}

enum status transfer_put_rest(const struct upload *upload)
{
    struct memstore_writer *writer;
    enum status status;
    int error = memstore_writer_open(upload->store, upload->key.bytes, upload->key.length,
                                     &upload->options, &writer);

    if (error) {
        progress_finish(upload->progress);
        return put_failed(upload, error);
    }
    status = put_all_pieces(upload, writer);
    if (status != STATUS_DONE) {
        memstore_writer_abort(writer);
        return status;
    }
    error = memstore_writer_commit(writer, NULL);
    if (!error)
        return STATUS_DONE;
    progress_finish(upload->progress);
    return put_failed(upload, error);
}

static enum status put_in_pieces(const struct upload *upload)
{
    struct progress progress;
    struct upload with_bar = *upload;
    enum status status;

    progress_init(&progress, upload->key.bytes, upload->input.size, upload->input.fd);
    with_bar.progress = &progress;
    status = transfer_put_rest(&with_bar);
    progress_finish(&progress);
    return status;
}

static enum status put_input(struct upload *upload)
{
    int error;

    if (upload->input.size != INPUT_SIZE_UNKNOWN && upload->input.size > MEMSTORE_VALUE_MAX) {
        complain("%s: put '%s': %" PRIu64 " bytes, and a value has at most %" PRIu64,
                 upload->input.name, upload->key.bytes, upload->input.size,
                 (uint64_t)MEMSTORE_VALUE_MAX);
        return STATUS_FAILED;
    }
    error = input_read(&upload->input, upload->piece, TRANSFER_PIECE, &upload->piece_size);
    if (error)
        return file_failed(upload->input.name, error);
    return upload->piece_size < TRANSFER_PIECE ? put_at_once(upload) : put_in_pieces(upload);
}

struct memstore_put_options transfer_put_options(const struct arguments *arguments)
{
    return (struct memstore_put_options){
        .size = sizeof(struct memstore_put_options),
        .content_type = arguments->content_type,
        .metadata = arguments->metadata,
        .metadata_count = arguments->metadata_count,
        .ttl_ms = arguments->ttl_ms,
        .condition = arguments_condition(arguments),
    };
}

static enum status put_plain(struct memstore *store, const struct arguments *arguments)
{
    struct upload upload = {
        .store = store,
        .key = key_of_argument(arguments->operands[0]),
        .options = transfer_put_options(arguments),
        .piece = malloc(TRANSFER_PIECE),
    };
    enum status status;
    int error;

    if (!upload.piece) {
        complain("out of memory");
        return STATUS_FULL;
    }
    error = input_init(&upload.input, arguments_operand(arguments, 1));
    status = error ? file_failed(upload.input.name, error) : put_input(&upload);
    input_finish(&upload.input);
    free(upload.piece);
    return status;
}

enum status transfer_put(struct memstore *store, const struct arguments *arguments)
{
    return arguments->is_ephemeral ? ephemeral_put(store, arguments) : put_plain(store, arguments);
}

static int write_value(struct output *output, const struct memstore_object *object, const char *key)
{
    struct progress progress;
    size_t left;
    const char *next = memstore_object_value(object, &left);
    int error = 0;

    progress_init(&progress, key, left, output->fd);
    while (left > 0 && !error) {
        size_t size = left < TRANSFER_PIECE ? left : TRANSFER_PIECE;

        error = output_write(output, next, size);
        next += size;
        left -= size;
        progress_add(&progress, size);
    }
    progress_finish(&progress);
    return error;
}

enum status transfer_write(const struct memstore_object *object, const char *key, const char *path)
{
    struct output output;
    const char *name;
    int error = output_init(&output, path);

    name = output.name;
    if (error)
        return file_failed(name, error);
    error = write_value(&output, object, key);
    if (error)
        output_abort(&output);
    else
        error = output_commit(&output);
    return error ? file_failed(name, error) : STATUS_DONE;
}

enum status transfer_get(struct memstore *store, const struct arguments *arguments)
{
    struct key key = key_of_argument(arguments->operands[0]);
    struct memstore_object *object;
    enum status status;
    int error;

    if (arguments->given['X'])
        error = memstore_get_newer(store, key.bytes, key.length, arguments->known_version, &object);
    else
        error = memstore_get(store, key.bytes, key.length, arguments->offset, arguments->length,
                             &object);
    if (error == -EALREADY)
        return STATUS_CONFLICT;
    if (error)
        return complain_key(error);
    status = transfer_write(object, key.bytes, arguments_operand(arguments, 1));
    memstore_object_free(object);
    return status;
}
