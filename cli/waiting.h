/* Waiting for what others do: the commands wait, watch, lock and once. */
#ifndef MEMSTORE_CLI_WAITING_H
#define MEMSTORE_CLI_WAITING_H

#include "status.h"

struct arguments;
struct memstore;

/* Milliseconds to wait; without --timeout, for ever. */
int waiting_patience(const struct arguments *arguments);

/* What an error means of which -ETIMEDOUT says that others were not ready in time. Complains. */
enum status waiting_complain(int error);

enum status waiting_wait(struct memstore *store, const struct arguments *arguments);
enum status waiting_watch(struct memstore *store, const struct arguments *arguments);

/* These two return the exit status of the command that they run, if they ran it. */
enum status waiting_lock(struct memstore *store, const struct arguments *arguments);
enum status waiting_once(struct memstore *store, const struct arguments *arguments);

#endif
