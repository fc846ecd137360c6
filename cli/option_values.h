/* What the arguments of options mean. On a mistake each of these says so: STATUS_USAGE. */
#ifndef MEMSTORE_CLI_OPTION_VALUES_H
#define MEMSTORE_CLI_OPTION_VALUES_H

#include "client/memstore.h"
#include "status.h"

#include <stdint.h>

struct arguments;

enum status value_timeout(struct arguments *arguments, const char *text);
enum status value_metadata(struct arguments *arguments, char *text);
enum status value_ttl(struct arguments *arguments, const char *text);
enum status value_range(struct arguments *arguments, char *text);
enum status value_limit(struct arguments *arguments, const char *text);
enum status value_version(struct arguments *arguments, const char *text, uint64_t *ret_version);
enum status value_until(struct arguments *arguments, enum memstore_until until);
enum status value_after(struct arguments *arguments, const char *text);

/* Of an operand, and not of an option. */
enum status value_delta(struct arguments *arguments, const char *text);

enum status value_if_version(struct arguments *arguments, const char *text);
enum status value_if_etag(struct arguments *arguments, const char *text);

enum status value_max_size(struct arguments *arguments, const char *text);
enum status value_max_objects(struct arguments *arguments, const char *text);
enum status value_policy(struct arguments *arguments, const char *text);

enum status value_interval(struct arguments *arguments, const char *text);
enum status value_order(struct arguments *arguments, const char *text);

#endif
