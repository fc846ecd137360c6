/* The two ways of memstore_get. The key has been checked. */
#ifndef MEMSTORE_GET_H
#define MEMSTORE_GET_H

#include "handle.h"

/* Reads in place. If direct_is_final of the result is false, the daemon is to be asked. */
int get_directly(struct memstore *store, const struct get_request *get, const void *key,
                 struct memstore_object **ret_object);

/* Asks the daemon. */
int get_by_asking(struct memstore *store, const void *key, size_t key_length, uint64_t offset,
                  uint64_t length, struct memstore_object **ret_object);

#endif
