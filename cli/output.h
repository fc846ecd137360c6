/*
 * Where a got value goes: standard output, or a file that appears only when all of it is there.
 *
 * A regular file is written under a name of its own in the same folder and then renamed, so that
 * neither an error nor a signal leaves half a file. Pipes and devices are written as they come.
 */
#ifndef MEMSTORE_CLI_OUTPUT_H
#define MEMSTORE_CLI_OUTPUT_H

#include <stddef.h>

struct output {
    const char *name; /* to tell people */
    int fd;
    char *path;      /* what the temporary file becomes; NULL: there is none */
    char *temporary; /* owned here, and unlinked unless committed */
};

/* Opens the output; NULL or "-" is standard output. Returns 0 or a negative errno, after which the
 * output needs no end. */
int output_init(struct output *output, const char *path);

/* Writes all of it. 0 or a negative errno. */
int output_write(struct output *output, const void *data, size_t size);

/* Ends the output: what was written is there, or a negative errno and nothing is. */
int output_commit(struct output *output);

/* Ends the output; a file is as it was. */
void output_abort(struct output *output);

#endif
