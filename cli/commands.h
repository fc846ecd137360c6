/* The commands: put, get, exists, … */
#ifndef MEMSTORE_CLI_COMMANDS_H
#define MEMSTORE_CLI_COMMANDS_H

#include "status.h"

#include <stdbool.h>
#include <stddef.h>

struct arguments;
struct memstore;

/* Whether "-- COMMAND" stands behind the operands. */
enum command_child {
    CHILD_NONE,
    CHILD_IF_EPHEMERAL,
    CHILD_MUST,
};

struct command {
    const char *name;     /* with that of its group before it: "bucket create" */
    const char *options;  /* its own, as their letters in options.c */
    const char *operands; /* in words, for the complaint about their number */
    int least;            /* operands */
    int most;             /* -1: no end */
    enum status (*run)(struct memstore *store, const struct arguments *arguments);
    const char *help;
    const struct command *recursive; /* what it is with --recursive; NULL: it has no such option */
    const struct command *parts;     /* those of a group, which ends with one without a name */
    enum command_child child;
    bool is_offline;   /* runs without a store, which is then NULL */
    bool is_global;    /* has nothing to do with the bucket of the user's choice */
    bool waits;        /* for others: --timeout is how long, and not how long a call may take */
    bool takes_number; /* which may begin with a dash */
    int timeout_ms;    /* of a call, where none is given; 0: the library's */
};

/* The command of a group (NULL: of no group) with this name. NULL: there is none. */
const struct command *command_find(const struct command *group, const char *name);

/* Whether it has an option of its own with this letter. NULL is no command, and has none. */
bool command_has_option(const struct command *command, int letter);

/* The names in a group, as words. Returns text. */
#define COMMANDS_NAMES_MAX 256
const char *commands_names(char text[COMMANDS_NAMES_MAX], const struct command *group);

#endif
