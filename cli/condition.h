/* Changes that are made on a condition. */
#ifndef MEMSTORE_CLI_CONDITION_H
#define MEMSTORE_CLI_CONDITION_H

#include "client/memstore.h"
#include "key.h"
#include "status.h"

/*
 * The status of a change that failed, of which people have been told. If it is the condition (NULL:
 * there was none) that failed, that is STATUS_CONFLICT, and the version of the object that is there
 * is printed, 0 for none. `source` is what the change also needs to be there; NULL: nothing.
 */
enum status condition_status(struct memstore *store, const struct memstore_condition *condition,
                             const struct key *source, int error, enum status otherwise);

#endif
