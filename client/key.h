/* Calls that name one key: how they are asked and how they fail. */
#ifndef MEMSTORE_KEY_H
#define MEMSTORE_KEY_H

#include "channel.h"

/* The error of an answer to a call on a key, with its message: `cannot VERB "KEY": …`. */
int key_fail(const struct answer *answer, const char *verb, const void *key, size_t key_length);

/* -ENOENT for a key, with its message. */
int key_missing(const void *key, size_t key_length);

#endif
