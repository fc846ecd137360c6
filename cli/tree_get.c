#include "arguments.h"
#include "client/memstore.h"
#include "folder.h"
#include "key.h"
#include "tally.h"
#include "text.h"
#include "tree.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Larger values are got by themselves, without a copy where that is possible. */
#define LARGE (1U << 20)

/* Objects on their way into a folder. */
struct tree {
    struct memstore *store;
    struct memstore_batch *batch;
    uint64_t bytes; /* of the batch's values */
    const char *root;
    int folder;
    size_t prefix_length;
    struct tally tally;
    bool ended; /* what comes next would fail as well */
};

/* ---- one object ---- */

static const char *words_of(int error)
{
    switch (error) {
    case -ELOOP:
        return "a symbolic link is on the way, which is not followed";
    case -ENOTDIR:
        return "a file stands where a folder should be";
    case -EISDIR:
        return "a folder stands there";
    default:
        return strerror(-error);
    }
}

static void save(struct tree *tree, const struct memstore_object *object, const void *value,
                 size_t size)
{
    const char *path = (const char *)memstore_object_key(object, NULL) + tree->prefix_length;
    int error = folder_write(tree->folder, path, value, size);

    if (error == 0)
        tally_done(&tree->tally, size);
    else
        tally_fail(&tree->tally, STATUS_FAILED, "%s/%s: %s", tree->root, path, words_of(error));
    tree->ended |= error == -ENOSPC || error == -EDQUOT || error == -EROFS;
}

static void get_failed(struct tree *tree, int error)
{
    enum status status = status_of_key(error);

    if (tree->ended)
        tree->tally.failed++;
    else
        tally_fail(&tree->tally, status, "%s", status_message(error));
    tree->ended |= status == STATUS_UNREACHABLE;
}

static void get_large(struct tree *tree, const void *key, size_t key_length)
{
    struct memstore_view *view;
    const void *value;
    size_t size;
    int error = memstore_view(tree->store, key, key_length, &view);

    if (error) {
        get_failed(tree, error);
        return;
    }
    value = memstore_view_value(view, &size);
    save(tree, memstore_view_object(view), value, size);
    memstore_view_release(view);
}

/* ---- many ---- */

/* Gets what is in the batch, and writes it. */
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
        const void *value;
        size_t size;

        if (status < 0 || !object) {
            get_failed(tree, status < 0 ? status : -ENOMEM);
            continue;
        }
        value = memstore_object_value(object, &size);
        save(tree, object, value, size);
    }
    memstore_batch_clear(batch);
    tree->bytes = 0;
}

/* Says why the key cannot be a file's. */
static void refuse(struct tree *tree, const void *key, size_t key_length, const char *why)
{
    char *shown = text_escape(key, key_length, TEXT_READABLE);

    tally_fail(&tree->tally, STATUS_FAILED, "\"%s\" cannot be a file below %s: %s",
               shown ? shown : "", tree->root, why);
    free(shown);
}

static void get_one(struct tree *tree, const struct memstore_object *object)
{
    size_t key_length;
    const char *key = memstore_object_key(object, &key_length);
    uint64_t size = memstore_object_size(object);
    const char *why = folder_refuses(key + tree->prefix_length, key_length - tree->prefix_length);
    int error;

    if (why) {
        refuse(tree, key, key_length, why);
        return;
    }
    if (size > LARGE) {
        get_large(tree, key, key_length);
        return;
    }
    if (memstore_batch_count(tree->batch) == TREE_BATCH_COUNT ||
        tree->bytes + size > TREE_BATCH_BYTES)
        flush(tree);
    error = memstore_batch_get(tree->batch, key, key_length);
    if (error)
        get_failed(tree, error);
    tree->bytes += size;
}

static void get_all(struct tree *tree, const struct memstore_list *list)
{
    for (size_t i = 0; i < memstore_list_count(list) && !tree->ended; i++)
        get_one(tree, memstore_list_at(list, i));
    if (!tree->ended)
        flush(tree);
    if (tree->ended)
        tally_stop(&tree->tally, STATUS_DONE, "stopped there: %" PRIu64 " files were written",
                   tree->tally.objects);
}

/* ---- the command ---- */

static enum status get_into(struct tree *tree, const struct arguments *arguments,
                            const struct memstore_list *list)
{
    tree->folder = folder_open(tree->root);
    if (tree->folder < 0) {
        complain("%s: %s", tree->root, words_of(tree->folder));
        return STATUS_FAILED;
    }
    if (memstore_batch_create(tree->store, NULL, &tree->batch) < 0) {
        close(tree->folder);
        return complain_store(-ENOMEM);
    }
    progress_init(&tree->tally.progress, tree->root, tree_size(list), -1);
    get_all(tree, list);
    memstore_batch_destroy(tree->batch);
    close(tree->folder);
    return tally_finish(&tree->tally, arguments->is_json);
}

enum status tree_get(struct memstore *store, const struct arguments *arguments)
{
    struct key prefix = key_of_argument(arguments->operands[0]);
    struct tree tree = {
        .store = store, .root = arguments->operands[1], .prefix_length = prefix.length};
    struct memstore_list *list;
    enum status status = tree_list(store, prefix, &list);

    if (status != STATUS_DONE)
        return status;
    status = get_into(&tree, arguments, list);
    memstore_list_free(list);
    return status;
}
