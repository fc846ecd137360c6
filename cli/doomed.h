/* A file that is not whole yet, and goes if a signal ends us. There is one at a time. */
#ifndef MEMSTORE_CLI_DOOMED_H
#define MEMSTORE_CLI_DOOMED_H

/* From now on: a name in a folder (AT_FDCWD: a path). Call it before the file is there, so that no
 * signal comes in between; both must live until doomed_clear. */
void doomed_set(int folder, const char *name);

/* It is whole, or gone. */
void doomed_clear(void);

#endif
