/* Values in and out: the commands put and get. */
#ifndef MEMSTORE_CLI_TRANSFER_H
#define MEMSTORE_CLI_TRANSFER_H

#include "status.h"

struct arguments;
struct memstore;

enum status transfer_put(struct memstore *store, const struct arguments *arguments);

enum status transfer_get(struct memstore *store, const struct arguments *arguments);

#endif
