/* The commands bucket create, drop, ls, info and set. */
#ifndef MEMSTORE_CLI_BUCKET_H
#define MEMSTORE_CLI_BUCKET_H

#include "status.h"

struct arguments;
struct memstore;

enum status bucket_create(struct memstore *store, const struct arguments *arguments);
enum status bucket_drop(struct memstore *store, const struct arguments *arguments);
enum status bucket_ls(struct memstore *store, const struct arguments *arguments);
enum status bucket_info(struct memstore *store, const struct arguments *arguments);
enum status bucket_set(struct memstore *store, const struct arguments *arguments);

#endif
