/* What memstore_message tells: one sentence for each thread, on its last failed call. */
#ifndef MEMSTORE_MESSAGE_H
#define MEMSTORE_MESSAGE_H

#include <stddef.h>
#include <stdint.h>

#define QUOTED_SIZE 96 /* bytes that quote writes at most, with the NUL */

/* Sets the calling thread's message and returns error. */
int message_fail(int error, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The message for -ENOMEM. Returns that. */
int out_of_memory(void);

/* Writes bytes for people: in quotation marks, what does not print escaped, a long text cut.
 * Returns text. */
const char *quote(char text[QUOTED_SIZE], const void *bytes, size_t length);

#endif
