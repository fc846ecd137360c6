/* The sockets that clients connect to: ours, or those that systemd hands over. */
#ifndef MEMSTORED_LISTENER_H
#define MEMSTORED_LISTENER_H

#include "lock_file.h"

#include <stddef.h>
#include <sys/types.h>

#define LISTENERS_MAX 4

struct listener {
    int fds[LISTENERS_MAX];
    size_t count;
    char path[PATH_MAX];   /* of our own socket, or of systemd's first; may be "" */
    struct lock_file lock; /* beside our own socket: two daemons can't both replace a dead one */
    dev_t device;          /* of our own socket's file, so that only that one is removed */
    ino_t inode;
};

/* Takes the sockets that systemd passed, if any. Returns how many, or a negative errno (logged). */
int listener_inherit(struct listener *listener);

/* Makes a socket at the path (NULL: the default path). What is wrong has been logged. */
int listener_open(struct listener *listener, const char *path, mode_t mode);

/* Closes the sockets; removes our own. */
void listener_close(struct listener *listener);

#endif
