/* What --help prints. */
#ifndef MEMSTORE_CLI_HELP_H
#define MEMSTORE_CLI_HELP_H

/* The help of a command, or of memstore as a whole for NULL, to stdout. */
void help_print(const char *command);

#endif
