/* The command line, read. */
#ifndef MEMSTORE_CLI_ARGUMENTS_H
#define MEMSTORE_CLI_ARGUMENTS_H

#include "client/memstore.h"
#include "picture.h"
#include "status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct command;

struct arguments {
    const struct command *command; /* NULL: none was named, which only --help may do */
    const char *socket;            /* NULL: the library's default */
    const char *bucket;            /* NULL: the library's default */
    const char *to_bucket;         /* of the target; NULL: the same */
    int timeout_ms;                /* 0: none was given */
    bool help;
    bool version;
    const char *content_type;           /* NULL: none */
    struct memstore_metadata *metadata; /* ends with a NULL name */
    size_t metadata_count;
    int64_t ttl_ms; /* 0: none was given; -1: never */
    uint64_t offset;
    uint64_t length; /* MEMSTORE_TO_END: all that follows the offset */
    uint64_t limit;
    bool has_limit;
    enum memstore_until until; /* 0: none was given */
    uint64_t after;            /* a version */
    bool has_after;
    uint64_t from;          /* a version, or MEMSTORE_FROM_NOW */
    uint64_t known_version; /* of what need not be got again; 0: none */
    int64_t delta;
    struct memstore_condition condition; /* see arguments_condition */
    struct memstore_bucket_options settings;
    bool is_ephemeral;
    int interval_ms; /* between two looks of top */
    enum picture_order order;
    bool is_once;
    bool is_long;
    bool ends_with_nul;
    bool is_json;
    bool is_recursive;
    bool is_all;
    char given[128]; /* by letter: not 0 if the option was given */
    char **operands; /* what is not an option: keys and files, NULL-terminated */
    int operand_count;
    char *const *child; /* the command that stands behind "--", NULL-terminated; NULL: none */
};

/*
 * Reads the command line. On a mistake it says so and returns STATUS_USAGE (STATUS_FULL without
 * memory). End the arguments with arguments_finish in any case; they point into argv.
 */
enum status arguments_init(struct arguments *arguments, int argc, char **argv);
void arguments_finish(struct arguments *arguments);

/* The command's name, as people are told of it; "" if none was named. */
const char *arguments_name(const struct arguments *arguments);

/* How to open the store. */
struct memstore_options arguments_store(const struct arguments *arguments);

/* What must be so for a change to be made; NULL: nothing. */
const struct memstore_condition *arguments_condition(const struct arguments *arguments);

/* Operand number `index`, NULL if there are not so many. */
const char *arguments_operand(const struct arguments *arguments, int index);

#endif
