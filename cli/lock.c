#include "waiting.h"

#include "arguments.h"
#include "child.h"
#include "client/memstore.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static enum status run_locked(const struct memstore_lock *lock, char *const *command)
{
    char token[24];

    snprintf(token, sizeof(token), "%" PRIu64, memstore_lock_token(lock));
    if (setenv("MEMSTORE_LOCK_TOKEN", token, 1) < 0) {
        complain("out of memory");
        return STATUS_FULL;
    }
    return child_run(command);
}

enum status waiting_lock(struct memstore *store, const struct arguments *arguments)
{
    const char *name = arguments->operands[0];
    struct memstore_lock *lock;
    enum status status;
    int error = memstore_lock(store, name, strlen(name), waiting_patience(arguments), &lock);

    if (error)
        return waiting_complain(error);
    status = run_locked(lock, arguments->child);
    error = memstore_unlock(lock);
    if (error)
        complain("%s ran on without the lock: %s", arguments->child[0], status_message(error));
    return error && status == STATUS_DONE ? STATUS_FAILED : status;
}
