/* Conditions: what callers state, as it is sent, and what is known of one that failed. */
#ifndef MEMSTORE_CONDITION_H
#define MEMSTORE_CONDITION_H

#include "common/protocol.h"
#include "memstore.h"

#include <stdint.h>

/* Reads a caller's condition. Returns 1, or 0 if there is none (NULL), or -EINVAL; then the message
 * is set. */
int condition_read(const struct memstore_condition *condition, struct condition *ret_condition);

/* What memstore_conflict_version tells from now on. */
void conflict_note(uint64_t version);

#endif
