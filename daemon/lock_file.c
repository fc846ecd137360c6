#include "lock_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

static pid_t read_owner(int fd)
{
    char text[32] = {0};

    if (pread(fd, text, sizeof(text) - 1, 0) <= 0)
        return 0;
    return (pid_t)strtol(text, NULL, 10);
}

static int write_owner(int fd)
{
    char text[32];
    int length = snprintf(text, sizeof(text), "%d\n", (int)getpid());

    if (ftruncate(fd, 0) < 0 || pwrite(fd, text, (size_t)length, 0) < 0)
        return -errno;
    return 0;
}

/* The previous owner removes its file before it unlocks it: what we locked may be gone. */
static int is_in_place(int fd, const char *path)
{
    struct stat opened, named;

    return fstat(fd, &opened) == 0 && lstat(path, &named) == 0 && opened.st_ino == named.st_ino &&
           opened.st_dev == named.st_dev;
}

static int try_take(const char *path, pid_t *ret_owner)
{
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    int r;

    if (fd < 0)
        return -errno;
    if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
        r = errno == EWOULDBLOCK ? -EBUSY : -errno;
        *ret_owner = read_owner(fd);
        goto fail;
    }
    if (!is_in_place(fd, path)) {
        r = -EAGAIN;
        goto fail;
    }
    r = write_owner(fd);
    if (r < 0)
        goto fail;
    return fd;

fail:
    close(fd);
    return r;
}

int lock_file_take(struct lock_file *lock, const char *path, pid_t *ret_owner)
{
    int r;

    lock->fd = -1;
    if (snprintf(lock->path, sizeof(lock->path), "%s", path) >= (int)sizeof(lock->path))
        return -ENAMETOOLONG;
    do {
        r = try_take(path, ret_owner);
    } while (r == -EAGAIN);
    if (r < 0)
        return r;
    lock->fd = r;
    return 0;
}

void lock_file_drop(struct lock_file *lock)
{
    if (lock->fd < 0)
        return;
    unlink(lock->path);
    close(lock->fd);
    lock->fd = -1;
}
