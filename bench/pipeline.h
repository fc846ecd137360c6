/* Puts to a server, many commands at a time. */
#ifndef BENCH_PIPELINE_H
#define BENCH_PIPELINE_H

#include "bench/keys.h"
#include "bench/stream.h"

#include <stdint.h>

#define COMMAND_MAX 256 /* bytes of a command without its value */

/* How a server wants a put. */
struct pipeline {
    /* Writes what precedes the value; returns its length. */
    int (*write)(char text[COMMAND_MAX], const struct key *key, uint32_t size);
    const char *answer; /* to each put */
};

/* Puts objects to a server at this socket. */
void pipeline_fill(const struct pipeline *pipeline, const char *socket,
                   const struct objects *objects);

/* Puts the objects of a batch. */
void pipeline_batch(const struct pipeline *pipeline, struct stream *stream, const struct key *key,
                    uint32_t size);

#endif
