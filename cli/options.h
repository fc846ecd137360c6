/* The options: how they are spelled, and what each of them says. */
#ifndef MEMSTORE_CLI_OPTIONS_H
#define MEMSTORE_CLI_OPTIONS_H

#include "status.h"

#include <getopt.h>

struct arguments;

/* Each option has a letter. It ends with one without a name. */
extern const struct option options_long[];
#define OPTIONS_SHORT ":s:b:ht:m:ln:0r"
#define OPTIONS_EVERYWHERE "sbThV"

/* Those that say what must be so for a change to be made. */
#define OPTIONS_CONDITION "NPIE"

/* The option with this letter; if there is none, the end of the table, without a name. */
const struct option *option_find(int letter);

/* Notes what an option says; `text` is its argument. On a mistake it says so. */
enum status option_take(struct arguments *arguments, int letter, char *text);

#endif
