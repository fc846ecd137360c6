/* The daemon's options: from the command line, else from the environment, else defaults. */
#ifndef MEMSTORED_OPTIONS_H
#define MEMSTORED_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define OPTION_UNSET (UINT64_MAX - 1) /* of a size: choose a default */
#define OPTION_NONE UINT64_MAX        /* of max_size: no limit */
#define MAX_MEMORY_MIN (4U << 20)     /* less can't hold an empty store and its reserve */

enum direct_mode {
    DIRECT_USER,  /* processes of our own user read in place */
    DIRECT_GROUP, /* and those of the socket's group */
    DIRECT_OFF,
};

struct options {
    const char *socket; /* NULL: the default path */
    const char *data;   /* NULL: choose a folder */
    uint64_t max_size;
    uint64_t max_memory;
    mode_t socket_mode;
    bool keep;
    bool allow_disk;
    enum direct_mode direct;
    unsigned client_timeout; /* seconds */
    unsigned spin;           /* microseconds */
};

/*
 * Reads them. Returns 0; 1 if --help or --version was asked for and has been printed; -EINVAL if
 * one does not parse, which has been logged. The strings are the caller's argv and environment.
 */
int options_read(int argc, char **argv, struct options *ret_options);

#endif
