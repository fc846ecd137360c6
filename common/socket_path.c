#include "socket_path.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static int fits(int length)
{
    return length >= 0 && (size_t)length < SOCKET_PATH_SIZE ? 0 : -ENAMETOOLONG;
}

int socket_path_default(char path[SOCKET_PATH_SIZE])
{
    const char *socket = getenv("MEMSTORE_SOCKET");
    const char *runtime = getenv("XDG_RUNTIME_DIR");
    char folder[64];

    if (socket && *socket)
        return fits(snprintf(path, SOCKET_PATH_SIZE, "%s", socket));
    if (geteuid() == 0)
        return fits(snprintf(path, SOCKET_PATH_SIZE, "/run/memstore/socket"));
    if (!runtime || !*runtime) {
        snprintf(folder, sizeof(folder), "/run/user/%u", (unsigned)geteuid());
        if (access(folder, X_OK) < 0)
            return -ENOENT;
        runtime = folder;
    }
    return fits(snprintf(path, SOCKET_PATH_SIZE, "%s/memstore/socket", runtime));
}

int socket_path_address(const char *path, struct sockaddr_un *ret_address)
{
    size_t length = strlen(path);

    if (length == 0)
        return -EINVAL;
    if (length >= SOCKET_PATH_SIZE)
        return -ENAMETOOLONG;
    *ret_address = (struct sockaddr_un){.sun_family = AF_UNIX};
    memcpy(ret_address->sun_path, path, length + 1);
    return 0;
}
