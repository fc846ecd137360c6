/* The folder that holds the store: chosen, private, on tmpfs, ours alone, removed at the end. */
#ifndef MEMSTORED_DATA_FOLDER_H
#define MEMSTORED_DATA_FOLDER_H

#include "lock_file.h"
#include "options.h"
#include "store.h"

struct data_folder {
    char path[PATH_MAX];
    struct lock_file lock;
    struct store_limits limits; /* what was chosen */
};

/*
 * Chooses the folder and the limits that the options leave open, makes the folder and takes it.
 * `socket` is the path of the socket, or "" if there is none. What is wrong has been logged.
 */
int data_folder_open(struct data_folder *folder, const struct options *options, const char *socket);

/* Gives it up; with `remove` takes it away, and the store in it. */
void data_folder_close(struct data_folder *folder, bool remove);

#endif
