/* The two ways of memstore_get. The key has been checked. */
#ifndef MEMSTORE_GET_H
#define MEMSTORE_GET_H

#include "handle.h"

/* What is wanted. */
struct get {
    struct get_request fixed; /* its key's length too */
    const void *key;
    uint64_t known; /* not if it is this version (-EALREADY); 0: in any case */
};

/* Reads in place. If direct_is_final of the result is false, the daemon is to be asked. */
int get_directly(struct memstore *store, const struct get *get,
                 struct memstore_object **ret_object);

/* Asks the daemon. */
int get_by_asking(struct memstore *store, const struct get *get,
                  struct memstore_object **ret_object);

#endif
