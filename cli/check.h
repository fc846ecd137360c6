/* What goes together on a command line, and what does not: STATUS_USAGE, with a word on it. */
#ifndef MEMSTORE_CLI_CHECK_H
#define MEMSTORE_CLI_CHECK_H

#include "status.h"

struct arguments;

/* What goes together with --recursive, and what only with it. */
enum status check_recursive(const struct arguments *arguments);

/* Everything else. */
enum status check_arguments(const struct arguments *arguments);

#endif
