/* Numbers as people read them: "0", "3.4", "12345", "1.2M". */
#ifndef MEMSTORE_CLI_QUANTITY_H
#define MEMSTORE_CLI_QUANTITY_H

#define QUANTITY_TEXT_MAX 32 /* bytes that quantity_format writes at most, with the NUL */

/* Writes a number that is not below 0 in at most 6 characters, as long as it is below 10^16.
 * Returns text. */
char *quantity_format(char text[QUANTITY_TEXT_MAX], double number);

#endif
