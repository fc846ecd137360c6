/* What the whole store is about: the commands stats and holders. */
#ifndef MEMSTORE_CLI_REPORT_H
#define MEMSTORE_CLI_REPORT_H

#include "status.h"

struct arguments;
struct memstore;

enum status report_stats(struct memstore *store, const struct arguments *arguments);
enum status report_holders(struct memstore *store, const struct arguments *arguments);

#endif
