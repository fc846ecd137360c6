/* The command top. */
#ifndef MEMSTORE_CLI_TOP_H
#define MEMSTORE_CLI_TOP_H

#include "status.h"

struct arguments;
struct memstore;

enum status top_run(struct memstore *store, const struct arguments *arguments);

#endif
