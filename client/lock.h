/* Locks of any space. */
#ifndef MEMSTORE_LOCK_H
#define MEMSTORE_LOCK_H

#include "common/protocol.h"
#include "memstore.h"

/* As memstore_lock. The name has been checked. */
int lock_take(struct memstore *store, enum lock_space space, const void *name, size_t name_length,
              int timeout_ms, struct memstore_lock **ret_lock);

#endif
