/* Calls that name one key: how they are asked and how they fail. */
#ifndef MEMSTORE_KEY_H
#define MEMSTORE_KEY_H

#include "channel.h"
#include "memstore.h"

/* The error of an answer to a call on a key, with its message: `cannot VERB "KEY": …`. */
int key_fail(const struct answer *answer, const char *verb, const void *key, size_t key_length);

/* Looks an object up in place; ret_object may be NULL. If direct_is_final of the result is false,
 * the daemon is to be asked. */
int look_up_directly(struct memstore *store, const void *key, size_t key_length,
                     struct memstore_object **ret_object);

/* -ENOENT for a key, with its message. */
int key_missing(const void *key, size_t key_length);

/* -EALREADY for a key whose object has the version that the caller knows, with its message. */
int key_unchanged(const void *key, size_t key_length, uint64_t version);

#endif
