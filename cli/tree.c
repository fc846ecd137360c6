#include "tree.h"

#include "arguments.h"
#include "client/memstore.h"
#include "tally.h"

#include <errno.h>
#include <stdlib.h>

enum status tree_list(struct memstore *store, struct key prefix, struct memstore_list **ret_list)
{
    struct memstore_list *list;
    int error = memstore_list(store, prefix.bytes, prefix.length, NULL, &list);

    if (error)
        return complain_store(error);
    if (memstore_list_count(list) == 0 && prefix.length > 0) {
        complain("no key begins with '%s'", prefix.bytes);
        memstore_list_free(list);
        return STATUS_MISSING;
    }
    *ret_list = list;
    return STATUS_DONE;
}

uint64_t tree_size(const struct memstore_list *list)
{
    uint64_t size = 0;

    for (size_t i = 0; i < memstore_list_count(list); i++)
        size += memstore_object_size(memstore_list_at(list, i));
    return size;
}

/* ---- rm ---- */

/* Deletes what is in the batch: objects of the list up to, and without, that one. */
static bool flush(struct memstore_batch *batch, const struct memstore_list *list, size_t end,
                  struct tally *tally)
{
    size_t start = end - memstore_batch_count(batch);
    int error = memstore_batch_run(batch);

    if (error)
        tally_stop(tally, status_of_store(error), "%s", status_message(error));
    for (size_t i = start; i < end; i++) {
        int status = memstore_batch_status(batch, i - start);

        if (status == 0)
            tally_done(tally, memstore_object_size(memstore_list_at(list, i)));
        else if (error)
            tally->failed++;
        else if (status != -ENOENT) /* somebody else was faster */
            tally_fail(tally, status_of_key(status), "%s", status_message(status));
    }
    memstore_batch_clear(batch);
    return error == 0;
}

static int remove_all(struct memstore_batch *batch, const struct memstore_list *list,
                      struct tally *tally)
{
    size_t count = memstore_list_count(list);
    bool goes_on = true;

    for (size_t i = 0; i < count && goes_on; i++) {
        size_t length;
        const void *key = memstore_object_key(memstore_list_at(list, i), &length);
        int error = memstore_batch_delete(batch, key, length);

        if (error)
            return error;
        if (i + 1 == count || memstore_batch_count(batch) == TREE_BATCH_COUNT)
            goes_on = flush(batch, list, i + 1, tally);
    }
    return 0;
}

enum status tree_rm(struct memstore *store, const struct arguments *arguments)
{
    const char *operand = arguments_operand(arguments, 0);
    struct key prefix = key_of_argument(operand ? operand : "");
    struct tally tally = {0};
    struct memstore_batch *batch;
    struct memstore_list *list = NULL;
    enum status status = tree_list(store, prefix, &list);
    int error;

    if (status != STATUS_DONE)
        return status;
    error = memstore_batch_create(store, NULL, &batch);
    if (error == 0) {
        progress_init(&tally.progress, prefix.bytes, tree_size(list), -1);
        error = remove_all(batch, list, &tally);
        memstore_batch_destroy(batch);
    }
    memstore_list_free(list);
    if (error)
        tally_stop(&tally, status_of_store(error), "%s", status_message(error));
    return tally_finish(&tally, arguments->is_json);
}
