/* A file that says by a lock (flock) that its owner lives. The lock ends with the owner, however
 * it ends; the file's text is its process id. */
#ifndef MEMSTORED_LOCK_FILE_H
#define MEMSTORED_LOCK_FILE_H

#include <limits.h>
#include <sys/types.h>

struct lock_file {
    int fd; /* -1: not held */
    char path[PATH_MAX];
};

/* Takes the lock. -EBUSY: somebody has it; *ret_owner is then its process id, or 0. */
int lock_file_take(struct lock_file *lock, const char *path, pid_t *ret_owner);

/* Removes the file and gives the lock up. Fine without a lock. */
void lock_file_drop(struct lock_file *lock);

#endif
