/* The commands: put, get, exists, … */
#ifndef MEMSTORE_CLI_COMMANDS_H
#define MEMSTORE_CLI_COMMANDS_H

#include "status.h"

#include <stdbool.h>
#include <stddef.h>

struct arguments;
struct memstore;

struct command {
    const char *name;
    const char *options;  /* its own, as their letters in arguments.c */
    const char *operands; /* in words, for the complaint about their number */
    int least;            /* operands */
    int most;             /* -1: no end */
    bool is_offline;      /* runs without a store, which is then NULL */
    enum status (*run)(struct memstore *store, const struct arguments *arguments);
    const struct command *recursive; /* what it is with --recursive; NULL: it has no such option */
};

/* NULL: there is no such command. */
const struct command *command_find(const char *name);

#endif
