#include "ephemeral.h"

#include "arguments.h"
#include "child.h"
#include "client/memstore.h"
#include "condition.h"
#include "input.h"
#include "key.h"
#include "transfer.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

/* ---- buckets ---- */

/* How long the daemon may take to end the bucket. */
#define END_MS 1000

/* Waits until the bucket of this handle is gone, so that whoever comes next has its name. */
static void await_end(struct memstore *inside)
{
    const struct timespec pause = {.tv_nsec = 1000000};

    for (int i = 0; i < END_MS && memstore_exists(inside, "", 0) >= 0; i++)
        nanosleep(&pause, NULL);
}

static enum status run_inside(const struct arguments *arguments, const char *name,
                              struct memstore **ret_inside)
{
    struct memstore_options options = arguments_store(arguments);
    int error;

    options.bucket = name;
    error = memstore_open(&options, ret_inside);
    if (error)
        return complain_store(error);
    if (setenv("MEMSTORE_BUCKET", name, 1) == 0)
        return child_run(arguments->child);
    complain("out of memory");
    return STATUS_FULL;
}

enum status ephemeral_bucket_run(struct memstore *owner, const struct arguments *arguments)
{
    struct memstore *inside = NULL;
    enum status status = run_inside(arguments, arguments->operands[0], &inside);

    memstore_close(owner);
    if (inside)
        await_end(inside);
    memstore_close(inside);
    return status;
}

/* ---- objects ---- */

/* Without a file the value is empty: standard input is for the command. */
static enum status read_value(const char *path, char **ret_value, size_t *ret_size)
{
    struct input input;
    int error;

    *ret_value = NULL;
    *ret_size = 0;
    if (!path)
        return STATUS_DONE;
    error = input_init(&input, path);
    if (!error)
        error = input_read_all(&input, MEMSTORE_VALUE_MAX, ret_value, ret_size);
    if (error)
        complain("%s: %s", input.name, strerror(-error));
    input_finish(&input);
    return error ? STATUS_FAILED : STATUS_DONE;
}

/* Removes the object at once, unless others have replaced it meanwhile. The daemon would do so too
 * in a moment, but who comes next shall not find it. */
static void take_away(struct memstore *store, struct key key, uint64_t version)
{
    const struct memstore_condition condition = {
        .size = sizeof(condition),
        .has_version = 1,
        .version = version,
    };

    memstore_delete_if(store, key.bytes, key.length, &condition);
}

static enum status put_and_run(struct memstore *store, const struct arguments *arguments,
                               const char *value, size_t size)
{
    struct key key = key_of_argument(arguments->operands[0]);
    struct memstore_put_options options = transfer_put_options(arguments);
    struct memstore_object *object;
    enum status status;
    int error;

    options.ephemeral = 1;
    error = memstore_put(store, key.bytes, key.length, value, size, &options, &object);
    if (error) {
        status = complain_store(error);
        return condition_status(store, options.condition, NULL, error, status);
    }
    status = child_run(arguments->child);
    take_away(store, key, memstore_object_version(object));
    memstore_object_free(object);
    return status;
}

enum status ephemeral_put(struct memstore *store, const struct arguments *arguments)
{
    char *value;
    size_t size;
    enum status status = read_value(arguments_operand(arguments, 1), &value, &size);

    if (status == STATUS_DONE)
        status = put_and_run(store, arguments, value, size);
    free(value);
    return status;
}
