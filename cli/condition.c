#include "condition.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>

/* -ENOENT may speak of the source as well, or of a socket that is gone. */
static bool target_is_missing(struct memstore *store, const struct key *source)
{
    if (source)
        return memstore_exists(store, source->bytes, source->length) == 1;
    return memstore_exists(store, "", 0) >= 0;
}

enum status condition_status(struct memstore *store, const struct memstore_condition *condition,
                             const struct key *source, int error, enum status otherwise)
{
    uint64_t version = memstore_conflict_version();

    if (!condition || (error != -EEXIST && error != -ESTALE &&
                       (error != -ENOENT || !target_is_missing(store, source))))
        return otherwise;
    printf("%" PRIu64 "\n", version);
    return STATUS_CONFLICT;
}
