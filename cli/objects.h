/* Objects by their keys: the commands exists, rm, ls, info, cp, mv, touch, add and url. */
#ifndef MEMSTORE_CLI_OBJECTS_H
#define MEMSTORE_CLI_OBJECTS_H

#include "status.h"

struct arguments;
struct memstore;

enum status objects_exists(struct memstore *store, const struct arguments *arguments);
enum status objects_rm(struct memstore *store, const struct arguments *arguments);
enum status objects_ls(struct memstore *store, const struct arguments *arguments);
enum status objects_info(struct memstore *store, const struct arguments *arguments);
enum status objects_cp(struct memstore *store, const struct arguments *arguments);
enum status objects_mv(struct memstore *store, const struct arguments *arguments);
enum status objects_touch(struct memstore *store, const struct arguments *arguments);
enum status objects_add(struct memstore *store, const struct arguments *arguments);
enum status objects_url(struct memstore *store, const struct arguments *arguments);

#endif
