#include "arguments.h"
#include "client/memstore.h"
#include "input.h"
#include "key.h"
#include "tally.h"
#include "transfer.h"
#include "tree.h"
#include "walk.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A folder's files on their way into the store: small ones in batches, large ones by themselves. */
struct tree {
    struct memstore *store;
    struct memstore_put_options options;
    struct memstore_batch *batch;
    char *values; /* of the batch */
    size_t used;
    struct walk walk;
    struct tally tally;
    bool ended; /* what comes next would fail as well */
};

static void note_status(struct tree *tree, enum status status)
{
    if (status == STATUS_FULL || status == STATUS_UNREACHABLE)
        tree->ended = true;
}

static void file_failed(struct tree *tree, int error)
{
    tally_fail(&tree->tally, STATUS_FAILED, "%s/%s: %s", tree->walk.root, walk_path(&tree->walk),
               strerror(-error));
}

/* ---- small files ---- */

static void put_failed(struct tree *tree, int error)
{
    enum status status = status_of_store(error);

    /* One line is enough for what all others will meet too. */
    if (tree->ended)
        tree->tally.failed++;
    else
        tally_fail(&tree->tally, status, "%s", status_message(error));
    note_status(tree, status);
}

/* Puts what is in the batch. */
static void flush(struct tree *tree)
{
    struct memstore_batch *batch = tree->batch;
    int error = memstore_batch_run(batch);

    if (error)
        tally_stop(&tree->tally, status_of_store(error), "%s", status_message(error));
    tree->ended |= error != 0;
    for (size_t i = 0; i < memstore_batch_count(batch); i++) {
        const struct memstore_object *object = memstore_batch_object(batch, i);
        int status = memstore_batch_status(batch, i);

        if (status < 0)
            put_failed(tree, status);
        else
            tally_done(&tree->tally, object ? memstore_object_size(object) : 0);
    }
    memstore_batch_clear(batch);
    tree->used = 0;
}

static void add_small(struct tree *tree, size_t size)
{
    const struct walk *walk = &tree->walk;
    int error = memstore_batch_put(tree->batch, walk->key, walk->length, tree->values + tree->used,
                                   size, &tree->options);

    if (error)
        tally_fail(&tree->tally, STATUS_FAILED, "%s/%s: %s", walk->root, walk_path(walk),
                   status_message(error));
    else
        tree->used += size;
}

/* ---- large files ---- */

static void put_large(struct tree *tree, struct input *input, size_t first)
{
    const struct walk *walk = &tree->walk;
    const uint64_t before = tree->tally.progress.done;
    enum status status;
    char *name;

    if (asprintf(&name, "%s/%s", walk->root, walk_path(walk)) < 0) {
        file_failed(tree, -ENOMEM);
        return;
    }
    input->name = name;
    status = transfer_put_rest(&(struct upload){.store = tree->store,
                                                .key = {.bytes = walk->key, .length = walk->length},
                                                .input = *input,
                                                .options = tree->options,
                                                .piece = tree->values + tree->used,
                                                .piece_size = first,
                                                .progress = &tree->tally.progress});
    free(name);
    tally_count(&tree->tally, status, tree->tally.progress.done - before);
    note_status(tree, status);
}

/* ---- all files ---- */

static bool has_changed(const struct stat *before, const struct stat *after)
{
    return before->st_size != after->st_size || before->st_mtim.tv_sec != after->st_mtim.tv_sec ||
           before->st_mtim.tv_nsec != after->st_mtim.tv_nsec;
}

static void put_open_file(struct tree *tree, struct input *input, const struct stat *before)
{
    struct stat after;
    size_t size;
    int error = input_read(input, tree->values + tree->used, TRANSFER_PIECE, &size);

    if (error) {
        file_failed(tree, error);
        return;
    }
    if (size < TRANSFER_PIECE)
        add_small(tree, size);
    else
        put_large(tree, input, size);
    if (fstat(input->fd, &after) == 0 && has_changed(before, &after))
        tally_stop(&tree->tally, STATUS_FAILED, "%s/%s: changed while it was read", tree->walk.root,
                   walk_path(&tree->walk));
}

/* O_NONBLOCK: it may have become a pipe meanwhile. */
static bool put_file(struct walk *walk, int folder, const char *name)
{
    struct tree *tree = walk->context;
    struct input input = {
        .fd = openat(folder, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC | O_NOCTTY)};
    struct stat info;

    if (input.fd < 0 || fstat(input.fd, &info) < 0) {
        file_failed(tree, -errno);
        goto out;
    }
    if (!S_ISREG(info.st_mode)) {
        tally_skip(&tree->tally, "%s/%s: passed over: no file any more", walk->root,
                   walk_path(walk));
        goto out;
    }
    input.size = (uint64_t)info.st_size;
    if (memstore_batch_count(tree->batch) == TREE_BATCH_COUNT ||
        tree->used > TREE_BATCH_BYTES - TRANSFER_PIECE)
        flush(tree);
    if (!tree->ended)
        put_open_file(tree, &input, &info);
out:
    if (input.fd >= 0)
        close(input.fd);
    return !tree->ended;
}

/* ---- the command ---- */

static bool measure_file(struct walk *walk, int folder, const char *name)
{
    uint64_t *total = walk->context;
    struct stat info;

    if (fstatat(folder, name, &info, AT_SYMLINK_NOFOLLOW) == 0)
        *total += (uint64_t)info.st_size;
    return true;
}

/* A bar needs to know how much there is. */
static void begin_progress(struct tree *tree, const char *root)
{
    struct walk walk;
    uint64_t total = 0;

    progress_init(&tree->tally.progress, root, 0, -1);
    if (!tree->tally.progress.is_wanted)
        return;
    walk_init(&walk, root, "", 0);
    walk.visit = measure_file;
    walk.context = &total;
    walk_run(&walk);
    tree->tally.progress.total = total;
}

static enum status put_all(struct tree *tree, const struct arguments *arguments, struct key prefix)
{
    const char *root = arguments->operands[0];
    int error;

    begin_progress(tree, root);
    walk_init(&tree->walk, root, prefix.bytes, prefix.length);
    tree->walk.tally = &tree->tally;
    tree->walk.visit = put_file;
    tree->walk.context = tree;
    error = walk_run(&tree->walk);
    if (error) {
        complain("%s: %s%s", root, strerror(-error),
                 error == -ENOTDIR ? "; a file is put without --recursive, under a key" : "");
        return STATUS_FAILED;
    }
    if (!tree->ended)
        flush(tree);
    if (tree->ended)
        tally_stop(&tree->tally, STATUS_DONE, "stopped there: %" PRIu64 " objects were stored",
                   tree->tally.objects);
    return tally_finish(&tree->tally, arguments->is_json);
}

enum status tree_put(struct memstore *store, const struct arguments *arguments)
{
    const char *operand = arguments_operand(arguments, 1);
    struct key prefix = key_of_argument(operand ? operand : "");
    struct tree *tree;
    enum status status = STATUS_FULL;

    if (prefix.length > MEMSTORE_KEY_MAX) {
        complain("a prefix of %zu bytes is too long: at most %d", prefix.length, MEMSTORE_KEY_MAX);
        return STATUS_FAILED;
    }
    tree = calloc(1, sizeof(*tree));
    if (tree) {
        tree->store = store;
        tree->options = transfer_put_options(arguments);
        tree->values = malloc(TREE_BATCH_BYTES);
    }
    if (!tree || !tree->values)
        complain("out of memory");
    else if (memstore_batch_create(store, NULL, &tree->batch) < 0)
        complain("%s", memstore_message());
    else
        status = put_all(tree, arguments, prefix);
    if (tree) {
        memstore_batch_destroy(tree->batch);
        free(tree->values);
    }
    free(tree);
    return status;
}
