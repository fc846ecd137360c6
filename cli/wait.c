#include "waiting.h"

#include "arguments.h"
#include "client/memstore.h"
#include "json.h"
#include "key.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>

int waiting_patience(const struct arguments *arguments)
{
    return arguments->timeout_ms > 0 ? arguments->timeout_ms : INT_MAX;
}

enum status waiting_complain(int error)
{
    enum status status = complain_store(error);

    return error == -ETIMEDOUT ? STATUS_CONFLICT : status;
}

/* The version that is there now; 0: no object. */
static int look_up(struct memstore *store, struct key key, uint64_t *ret_version)
{
    struct memstore_object *object = NULL;
    int error = memstore_info(store, key.bytes, key.length, &object);

    if (error && error != -ENOENT)
        return error;
    *ret_version = object ? memstore_object_version(object) : 0;
    memstore_object_free(object);
    return 0;
}

/* `object` NULL: it is gone. */
static enum status show(const struct memstore_object *object, const struct arguments *arguments)
{
    if (arguments->is_json && object)
        return json_object_info(object);
    if (arguments->is_json)
        puts("null");
    else if (arguments->until != MEMSTORE_UNTIL_GONE)
        printf("%" PRIu64 "\n", object ? memstore_object_version(object) : 0);
    return STATUS_DONE;
}

enum status waiting_wait(struct memstore *store, const struct arguments *arguments)
{
    struct key key = key_of_argument(arguments->operands[0]);
    enum memstore_until until = arguments->until ? arguments->until : MEMSTORE_UNTIL_EXISTS;
    uint64_t version = arguments->after;
    struct memstore_object *object;
    enum status status;
    int error = 0;

    if (until == MEMSTORE_UNTIL_CHANGED && !arguments->has_after)
        error = look_up(store, key, &version);
    if (!error)
        error = memstore_wait(store, key.bytes, key.length, until, version,
                              waiting_patience(arguments), &object);
    if (error == -ETIMEDOUT)
        return STATUS_MISSING;
    if (error)
        return complain_store(error);
    status = show(object, arguments);
    memstore_object_free(object);
    return status;
}
