/* Bytes that may be anything, made fit to be shown, and moments as people write them. */
#ifndef MEMSTORE_CLI_TEXT_H
#define MEMSTORE_CLI_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TEXT_MOMENT_MAX 40 /* bytes of a moment at most, with the NUL */

enum text_style {
    TEXT_READABLE, /* what would disturb a line or a terminal becomes \n, \t, \r or \xNN */
    TEXT_EXACT,    /* the backslash becomes \\ as well, so that the bytes can be told from it */
};

/* True if the bytes are well-formed UTF-8 (no surrogates, nothing longer than need be). */
bool text_is_utf8(const void *bytes, size_t length);

/* The bytes without control characters or broken UTF-8, malloc'd; NULL: out of memory. */
char *text_escape(const void *bytes, size_t length, enum text_style style);

/* The bytes in base64 (RFC 4648, padded), malloc'd; NULL: out of memory. */
char *text_base64(const void *bytes, size_t length);

/* Microseconds since 1970 as "2024-02-29T23:59:59.123456Z". Returns text. */
char *text_moment(char text[TEXT_MOMENT_MAX], int64_t microseconds);

/* The same in the zone of the user, as "2024-02-29 23:59:59". Returns text. */
char *text_local_moment(char text[TEXT_MOMENT_MAX], int64_t microseconds);

#endif
