/* Where the daemon's socket is: the same answer for the daemon and its clients. */
#ifndef MEMSTORE_SOCKET_PATH_H
#define MEMSTORE_SOCKET_PATH_H

#include <sys/un.h>

/* Room for the longest socket path and its NUL: 108 bytes. */
#define SOCKET_PATH_SIZE sizeof(((struct sockaddr_un *)0)->sun_path)

/*
 * Writes the default path: $MEMSTORE_SOCKET; else for root /run/memstore/socket; else
 * $XDG_RUNTIME_DIR/memstore/socket, or /run/user/UID/memstore/socket where only the variable is
 * missing. -ENAMETOOLONG: too long for a socket; -ENOENT: there is no such folder to stand on.
 */
int socket_path_default(char path[SOCKET_PATH_SIZE]);

/* Makes the address of a path. -ENAMETOOLONG: over 107 bytes; -EINVAL: empty. */
int socket_path_address(const char *path, struct sockaddr_un *ret_address);

#endif
