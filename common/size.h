/* Sizes in bytes as people write and read them: "64M". */
#ifndef MEMSTORE_SIZE_H
#define MEMSTORE_SIZE_H

#include <stdint.h>

#define SIZE_TEXT_MAX 32 /* bytes that size_format writes at most, with the NUL */

/*
 * Reads a size: digits and nothing or one of K, M, G (1024 and its powers, either case).
 * -EINVAL: not that; -ERANGE: 2^63 or more.
 */
int size_parse(const char *text, uint64_t *ret_size);

/* Writes a size with three digits and a unit: "0 B", "1000 B", "64 MiB", "1.5 GiB". Returns text.
 */
char *size_format(char text[SIZE_TEXT_MAX], uint64_t size);

#endif
