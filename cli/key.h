/* A key as it stands on the command line. */
#ifndef MEMSTORE_CLI_KEY_H
#define MEMSTORE_CLI_KEY_H

#include <stddef.h>

/* The bytes are the argument's own, and so NUL-terminated. */
struct key {
    const char *bytes;
    size_t length;
};

/* The key that an argument means: the argument itself, or what follows "memory://" in a url. */
struct key key_of_argument(const char *argument);

#endif
