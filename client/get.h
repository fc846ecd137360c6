/* The way of memstore_get that asks the daemon. */
#ifndef MEMSTORE_GET_H
#define MEMSTORE_GET_H

#include "handle.h"

/* As memstore_get, over the socket. The key has been checked. */
int get_by_asking(struct memstore *store, const void *key, size_t key_length, uint64_t offset,
                  uint64_t length, struct memstore_object **ret_object);

#endif
