#include "output.h"

#include "doomed.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The permissions that the file will have: those it has, or what the umask leaves. */
static mode_t output_mode(const struct stat *old)
{
    mode_t mask;

    if (old)
        return old->st_mode & 0777;
    mask = umask(0);
    umask(mask);
    return 0666 & ~mask;
}

/* "FOLDER/NAME" -> "FOLDER/.memstore-XXXXXX". The name is not repeated: it may be as long as can
 * be. */
static char *temporary_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    char *temporary;

    if (asprintf(&temporary, "%.*s.memstore-XXXXXX", slash ? (int)(slash - path + 1) : 0, path) < 0)
        return NULL;
    return temporary;
}

/* `old` is what the path leads to now, NULL for nothing. */
static int open_temporary(struct output *output, const char *path, const struct stat *old)
{
    int error;

    /* Through a link, it is the file behind it that is replaced. */
    output->path = old ? realpath(path, NULL) : strdup(path);
    if (!output->path)
        return -errno;
    output->temporary = temporary_name(output->path);
    if (!output->temporary) {
        error = -ENOMEM;
        goto free_path;
    }
    doomed_set(AT_FDCWD, output->temporary);
    output->fd = mkostemp(output->temporary, O_CLOEXEC);
    if (output->fd < 0) {
        error = -errno;
        goto free_temporary;
    }
    if (fchmod(output->fd, output_mode(old)) == 0)
        return 0;
    error = -errno;
    output_abort(output);
    return error;

free_temporary:
    doomed_clear();
    free(output->temporary);
free_path:
    free(output->path);
    return error;
}

/* Names of what is open already: to replace the file behind one would not be what was asked. */
static bool is_descriptor(const char *path)
{
    return strncmp(path, "/dev/fd/", 8) == 0 || strncmp(path, "/proc/", 6) == 0 ||
           strcmp(path, "/dev/stderr") == 0;
}

static int open_direct(struct output *output, const char *path)
{
    output->fd = open(path, O_WRONLY | O_CLOEXEC | O_NOCTTY);
    return output->fd < 0 ? -errno : 0;
}

static int open_new(struct output *output, const char *path)
{
    output->fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
    return output->fd < 0 ? -errno : 0;
}

int output_init(struct output *output, const char *path)
{
    struct stat old;

    *output = (struct output){.name = "standard output", .fd = STDOUT_FILENO};
    if (!path || strcmp(path, "-") == 0 || strcmp(path, "/dev/stdout") == 0)
        return 0;
    output->name = path;
    if (is_descriptor(path))
        return open_direct(output, path);
    /* A link that leads nowhere is not replaced; what it names is made. */
    if (lstat(path, &old) == 0 && S_ISLNK(old.st_mode) && access(path, F_OK) < 0)
        return open_new(output, path);
    if (stat(path, &old) < 0)
        return errno == ENOENT ? open_temporary(output, path, NULL) : -errno;
    if (!S_ISREG(old.st_mode))
        return open_direct(output, path);
    /* A rename would replace a file that one may not write. */
    if (access(path, W_OK) < 0)
        return -errno;
    return open_temporary(output, path, &old);
}

int output_write(struct output *output, const void *data, size_t size)
{
    struct pollfd wait = {.fd = output->fd, .events = POLLOUT};
    const char *next = data;

    while (size > 0) {
        ssize_t written = write(output->fd, next, size);

        if (written >= 0) {
            next += written;
            size -= (size_t)written;
        } else if (errno == EAGAIN) { /* somebody made the pipe non-blocking for all its users */
            poll(&wait, 1, -1);
        } else if (errno != EINTR) {
            return -errno;
        }
    }
    return 0;
}

static void output_free(struct output *output)
{
    doomed_clear();
    free(output->temporary);
    free(output->path);
    *output = (struct output){.fd = -1};
}

int output_commit(struct output *output)
{
    int error = 0;

    if (output->fd == STDOUT_FILENO) /* main closes it, and looks at how that ends */
        return 0;
    if (close(output->fd) < 0)
        error = -errno;
    if (output->temporary && !error && rename(output->temporary, output->path) < 0)
        error = -errno;
    if (output->temporary && error)
        unlink(output->temporary);
    output_free(output);
    return error;
}

void output_abort(struct output *output)
{
    if (output->fd > STDERR_FILENO)
        close(output->fd);
    if (output->temporary)
        unlink(output->temporary);
    output_free(output);
}
