/* A command of the user's that is run. */
#ifndef MEMSTORE_CLI_CHILD_H
#define MEMSTORE_CLI_CHILD_H

#include "status.h"

#include <stdbool.h>
#include <sys/types.h>

struct child {
    pid_t pid;
    int fd; /* readable when it has ended */
};

/*
 * Starts the command. Its standard output goes to `output`, if that is not -1. It ends with us.
 * Until child_wait, signals that would end us are passed on to it, or left to it where a terminal
 * sends them to both. One at a time. Returns 0 or a negative errno.
 */
int child_start(struct child *child, char *const *command, int output);

/* Whether it has ended, and not well. */
bool child_has_failed(const struct child *child);

/* Waits for its end. Returns its exit status; 128 and the signal's number if one ended it; 127 or
 * 126 if it could not be run, which has been said. */
int child_wait(struct child *child);

/* Starts it and waits for its end; what keeps it from starting is said. */
enum status child_run(char *const *command);

#endif
