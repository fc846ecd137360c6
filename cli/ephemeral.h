/* What lasts as long as a command runs: buckets and objects. */
#ifndef MEMSTORE_CLI_EPHEMERAL_H
#define MEMSTORE_CLI_EPHEMERAL_H

#include "status.h"

struct arguments;
struct memstore;

/* Runs the command with the ephemeral bucket that the handle has just made as its bucket. When it
 * has ended the handle is closed, and the bucket gone. Returns the command's exit status. */
enum status ephemeral_bucket_run(struct memstore *owner, const struct arguments *arguments);

/* put --ephemeral: the same with an object. */
enum status ephemeral_put(struct memstore *store, const struct arguments *arguments);

#endif
