/* Many objects at once: put --recursive, get --recursive, rm --recursive. */
#ifndef MEMSTORE_CLI_TREE_H
#define MEMSTORE_CLI_TREE_H

#include "key.h"
#include "status.h"

#include <stddef.h>
#include <stdint.h>

struct arguments;
struct memstore;
struct memstore_list;

/* So many operations go in one batch, and so many bytes of values. */
#define TREE_BATCH_COUNT 256
#define TREE_BATCH_BYTES ((size_t)8 << 20)

/* The files of a folder. */
enum status tree_put(struct memstore *store, const struct arguments *arguments);

/* The objects of a prefix, into a folder. */
enum status tree_get(struct memstore *store, const struct arguments *arguments);

/* The objects of a prefix. */
enum status tree_rm(struct memstore *store, const struct arguments *arguments);

/* Lists the objects of a prefix. If there are none, it says so; of the empty prefix that is fine.
 */
enum status tree_list(struct memstore *store, struct key prefix, struct memstore_list **ret_list);

/* Bytes of all their values. */
uint64_t tree_size(const struct memstore_list *list);

#endif
