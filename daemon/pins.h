/* The pin tables (common/pins.h), as the daemon has them: one file in the data folder for each
 * direct reader. A table is locked (flock) by its open file description, which the client shares:
 * so a later daemon can tell whether anybody still has the table of an earlier one. */
#ifndef MEMSTORED_PINS_H
#define MEMSTORED_PINS_H

#include "common/pins.h"

#include <stddef.h>
#include <sys/types.h>

#define PINS_NAME_SIZE 32

struct pins {
    int fd; /* -1: none */
    char name[PINS_NAME_SIZE];
};

void pins_init(struct pins *pins);

/* Makes the table with this number in the folder. -EEXIST: there is one; -ENOSPC and others. */
int pins_create(struct pins *pins, int folder, unsigned number, pid_t pid);

/* Opens one that an earlier daemon left. -ESRCH: nobody has it any more; it is removed. */
int pins_inherit(struct pins *pins, int folder, const char *name);

/* Whether nobody has an inherited table any more. */
int pins_abandoned(const struct pins *pins);

/* Closes it and leaves the file, for the next daemon to inherit. */
void pins_leave(struct pins *pins);

/* Removes and closes it. Fine without one. */
void pins_remove(struct pins *pins, int folder);

/* Reads it: at most PIN_SLOTS ids, none of them 0. Returns how many. ret_pid may be NULL. */
size_t pins_read(const struct pins *pins, uint64_t ids[PIN_SLOTS], pid_t *ret_pid);

/* Adds up what the client has counted. */
void pins_read_counts(const struct pins *pins, uint64_t *ret_hits, uint64_t *ret_misses);

/* Tells the client that what it has mapped is no longer the store. */
void pins_stop(const struct pins *pins);

#endif
