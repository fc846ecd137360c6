/*
 * The regular files below a folder. Links are not followed: what is visited is what is there. Two
 * bounds keep a walk short of every limit: no path is longer than a key, and so none is deeper.
 */
#ifndef MEMSTORE_CLI_WALK_H
#define MEMSTORE_CLI_WALK_H

#include "client/memstore.h"
#include "tally.h"

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

#define WALK_KEY_SIZE (MEMSTORE_KEY_MAX + NAME_MAX + 2)

struct walk {
    const char *root;    /* the folder, as it is called */
    struct tally *tally; /* is told what is no file or cannot be read; NULL: nobody is */
    /* Called for each file: `name` in an open folder. false: the walk ends. */
    bool (*visit)(struct walk *walk, int folder, const char *name);
    void *context;
    char key[WALK_KEY_SIZE]; /* of the file: a prefix, then the way to it from the root */
    size_t prefix_length;
    size_t length;
};

/* Begins with a prefix of at most MEMSTORE_KEY_MAX bytes. */
void walk_init(struct walk *walk, const char *root, const void *prefix, size_t prefix_length);

/* The way to what is being visited, from the root. */
const char *walk_path(const struct walk *walk);

/* Visits all files, folder by folder in no particular order. Negative errno: the root cannot be
 * read, or is no folder. */
int walk_run(struct walk *walk);

#endif
