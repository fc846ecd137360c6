/* Fills a server with small objects, many commands at a time. */
#ifndef BENCH_PIPELINE_H
#define BENCH_PIPELINE_H

#include "bench/keys.h"

#include <stdint.h>

#define COMMAND_MAX 256 /* bytes of a command without its value */

/* Writes the part of a put that precedes the value; returns its length. */
typedef int write_put(char text[COMMAND_MAX], const struct key *key, uint32_t size);

/* Puts the objects with these numbers; `answer` is what the server says to each put. */
void pipeline_fill(const char *socket, uint64_t from, uint64_t to, write_put *write,
                   const char *answer);

#endif
