/* Spans of time as people write and read them: "500ms", "30s", "5m", "2h", "1d". */
#ifndef MEMSTORE_CLI_DURATION_H
#define MEMSTORE_CLI_DURATION_H

#include <stdint.h>

#define DURATION_TEXT_MAX 32 /* bytes that duration_format writes at most, with the NUL */

/*
 * Reads a number, which may have a fraction, and its unit: ms, s, m, h or d; none: seconds. What
 * is above 0 is at least a millisecond. -EINVAL: not that; -ERANGE: over MEMSTORE_TTL_MAX.
 */
int duration_parse(const char *text, int64_t *ret_milliseconds);

/* Writes it with the largest unit of which it has whole ones: "90s", "36h", "2d". Returns text. */
char *duration_format(char text[DURATION_TEXT_MAX], int64_t milliseconds);

#endif
