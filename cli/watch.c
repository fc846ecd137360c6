#include "waiting.h"

#include "arguments.h"
#include "client/memstore.h"
#include "json.h"
#include "key.h"
#include "print.h"

#include <errno.h>
#include <stdio.h>

/* Who reads it in a pipe has each line at once. */
static enum status show(const struct memstore_event *event, bool is_json)
{
    enum status status = is_json ? json_event(event) : print_event(event);

    return fflush(stdout) == 0 ? status : STATUS_FAILED; /* main says why */
}

static enum status next(struct memstore_watch *watch, const struct arguments *arguments)
{
    const struct memstore_event *event;
    int error = memstore_watch_next(watch, waiting_patience(arguments), &event);

    if (error == -ETIMEDOUT)
        return STATUS_MISSING;
    return error ? complain_store(error) : show(event, arguments->is_json);
}

enum status waiting_watch(struct memstore *store, const struct arguments *arguments)
{
    const char *operand = arguments_operand(arguments, 0);
    struct key prefix = key_of_argument(operand ? operand : "");
    uint64_t left = arguments->has_limit ? arguments->limit : UINT64_MAX;
    enum status status = STATUS_DONE;
    struct memstore_watch *watch;
    int error = memstore_watch(store, prefix.bytes, prefix.length, arguments->from, &watch);

    if (error)
        return complain_store(error);
    for (; left > 0 && status == STATUS_DONE; left--)
        status = next(watch, arguments);
    memstore_watch_close(watch);
    return status;
}
