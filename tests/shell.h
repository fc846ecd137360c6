/* Commands as a user of a shell gives them, in the test's folder, to the daemon's store. */
#ifndef MEMSTORE_TESTS_SHELL_H
#define MEMSTORE_TESTS_SHELL_H

#include "tests/harness.h"

#include <jansson.h>

/* The daemon that the commands find; NULL: none. */
extern struct harness_daemon *the_daemon;

/* Runs a command, expects the exit status, returns what it wrote to both outputs (malloc'd). */
char *output_of(int status, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The same, and it writes exactly this. */
void expect(int status, const char *expected, const char *command);

/* The same, and it writes one line, which has these words in it (NULL ends them). */
void expect_error(int status, const char *command, ...) __attribute__((sentinel));

/* What a command writes, as JSON, and what is in that. */
json_t *json_of(const char *command);
const char *text_in(const json_t *object, const char *name);
json_int_t number_in(const json_t *object, const char *name);

#endif
