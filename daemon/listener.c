#include "listener.h"

#include "log.h"
#include "socket_path.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#define BACKLOG 1024

int listener_inherit(struct listener *listener)
{
    struct sockaddr_un address = {0};
    socklen_t length = sizeof(address);
    int count = sd_listen_fds(1);

    *listener = (struct listener){.lock.fd = -1};
    if (count > LISTENERS_MAX) {
        log_error("systemd passes %d sockets; at most %d can be used", count, LISTENERS_MAX);
        return -E2BIG;
    }
    if (count < 0) {
        log_error("the sockets that systemd should pass cannot be taken (LISTEN_FDS): %s",
                  strerror(-count));
        return count;
    }
    for (int i = 0; i < count; i++) {
        int fd = SD_LISTEN_FDS_START + i;

        if (sd_is_socket_unix(fd, SOCK_STREAM, 1, NULL, 0) <= 0) {
            log_error("systemd passes a descriptor that is not a listening Unix stream socket");
            return -EINVAL;
        }
        listener->fds[listener->count++] = fd;
    }
    if (count > 0 && getsockname(listener->fds[0], (struct sockaddr *)&address, &length) == 0)
        snprintf(listener->path, sizeof(listener->path), "%.*s", (int)sizeof(address.sun_path),
                 address.sun_path);
    return count;
}

static int choose_path(struct listener *listener, const char *path)
{
    char chosen[SOCKET_PATH_SIZE];
    int r;

    if (path) {
        snprintf(listener->path, sizeof(listener->path), "%s", path);
        return 0;
    }
    r = socket_path_default(chosen);
    if (r == -ENOENT)
        log_error("no place for the socket: XDG_RUNTIME_DIR is not set; name a path with --socket");
    else if (r < 0)
        log_error("no place for the socket: %s; name a path with --socket", strerror(-r));
    else
        snprintf(listener->path, sizeof(listener->path), "%s", chosen);
    return r;
}

/* The folder of the socket, and nothing above it. Who may use the socket may reach it. One that is
 * there is used as it is. */
static int make_folder(const char *path, mode_t socket_mode)
{
    mode_t mode = 0700 | (socket_mode & 0060 ? 0010 : 0) | (socket_mode & 0006 ? 0001 : 0);
    char folder[PATH_MAX];
    char *slash;

    snprintf(folder, sizeof(folder), "%s", path);
    slash = strrchr(folder, '/');
    if (!slash || slash == folder)
        return 0;
    *slash = '\0';
    if (mkdir(folder, 0700) < 0)
        return errno == EEXIST ? 0 : -errno;
    return mode != 0700 && chmod(folder, mode) < 0 ? -errno : 0;
}

static int take_lock(struct listener *listener)
{
    char path[PATH_MAX + 8];
    pid_t owner = 0;
    int r;

    snprintf(path, sizeof(path), "%s.lock", listener->path);
    r = lock_file_take(&listener->lock, path, &owner);
    if (r == -EBUSY)
        log_error("another memstored (process %d) serves %s: use that one, stop it, or choose "
                  "another path with --socket",
                  (int)owner, listener->path);
    else if (r < 0)
        log_error("socket %s: cannot lock %s: %s", listener->path, path, strerror(-r));
    return r;
}

/* Whether anything answers there. A socket file without a process behind it refuses. */
static int remove_dead(const char *path, const struct sockaddr_un *address)
{
    struct stat info;
    int fd;
    int r;

    if (lstat(path, &info) < 0)
        return errno == ENOENT ? 0 : -errno;
    if (!S_ISSOCK(info.st_mode))
        return -EEXIST;
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -errno;
    r = connect(fd, (const struct sockaddr *)address, sizeof(*address)) < 0 ? -errno : 0;
    close(fd);
    if (r != -ECONNREFUSED)
        return -EADDRINUSE;
    return unlink(path) < 0 ? -errno : 0;
}

static int bind_and_listen(struct listener *listener, const struct sockaddr_un *address,
                           mode_t mode)
{
    struct stat info;
    mode_t mask;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int r;

    if (fd < 0)
        return -errno;
    /* The file must never be more open than asked for, not even for a moment. */
    mask = umask(0777 & ~mode);
    r = bind(fd, (const struct sockaddr *)address, sizeof(*address)) < 0 ? -errno : 0;
    umask(mask);
    if (r < 0)
        goto fail;
    if (lstat(listener->path, &info) < 0 || listen(fd, BACKLOG) < 0) {
        r = -errno;
        unlink(listener->path);
        goto fail;
    }
    listener->device = info.st_dev;
    listener->inode = info.st_ino;
    listener->fds[listener->count++] = fd;
    return 0;

fail:
    close(fd);
    return r;
}

int listener_open(struct listener *listener, const char *path, mode_t mode)
{
    struct sockaddr_un address;
    int r;

    *listener = (struct listener){.lock.fd = -1};
    r = choose_path(listener, path);
    if (r < 0)
        return r;
    r = socket_path_address(listener->path, &address);
    if (r < 0) {
        log_error("socket %s: the path is longer than the %zu bytes that a socket's can have: "
                  "choose a shorter one with --socket",
                  listener->path, SOCKET_PATH_SIZE - 1);
        return r;
    }
    r = make_folder(listener->path, mode);
    if (r < 0) {
        log_error("socket %s: cannot make its folder: %s", listener->path, strerror(-r));
        return r;
    }
    r = take_lock(listener);
    if (r < 0)
        return r;
    r = remove_dead(listener->path, &address);
    if (r == 0)
        r = bind_and_listen(listener, &address, mode);
    if (r == -EADDRINUSE)
        log_error("socket %s: another process serves it: choose another path with --socket",
                  listener->path);
    else if (r == -EEXIST)
        log_error("socket %s: there is a file of that name that is not a socket", listener->path);
    else if (r < 0)
        log_error("socket %s: %s", listener->path, strerror(-r));
    if (r < 0)
        lock_file_drop(&listener->lock);
    return r;
}

void listener_close(struct listener *listener)
{
    struct stat info;

    for (size_t i = 0; i < listener->count; i++)
        close(listener->fds[i]);
    listener->count = 0;
    if (listener->lock.fd < 0)
        return;
    if (lstat(listener->path, &info) == 0 && info.st_dev == listener->device &&
        info.st_ino == listener->inode)
        unlink(listener->path);
    lock_file_drop(&listener->lock);
}
