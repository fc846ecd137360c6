/*
 * A folder that files are written below, under names that may have been made to lead out of it:
 * such a name is refused, and links on the way are not followed.
 */
#ifndef MEMSTORE_CLI_FOLDER_H
#define MEMSTORE_CLI_FOLDER_H

#include <stddef.h>

/* Opens it, or makes it. Returns a descriptor or a negative errno. */
int folder_open(const char *path);

/* Why bytes cannot be the path of a file below a folder, in words; NULL: they can. */
const char *folder_refuses(const void *path, size_t length);

/*
 * Writes a file below the folder, whole: it appears under its name when all of it is there, in the
 * place of what was. Folders on the way are made. The path must be one that is not refused.
 * Negative errno; -ELOOP: a link is on the way; -ENOTDIR: a file is; -EISDIR: there is a folder.
 */
int folder_write(int folder, const char *path, const void *value, size_t size);

#endif
