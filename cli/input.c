#include "input.h"

#include "status.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Only a regular file says beforehand; and standard input may have been read from already. */
static uint64_t input_measure(int fd)
{
    struct stat stat;
    off_t position;

    if (fstat(fd, &stat) < 0 || !S_ISREG(stat.st_mode) || stat.st_size == 0)
        return INPUT_SIZE_UNKNOWN;
    position = lseek(fd, 0, SEEK_CUR);
    return position < 0 || position > stat.st_size ? INPUT_SIZE_UNKNOWN
                                                   : (uint64_t)(stat.st_size - position);
}

int input_init(struct input *input, const char *path)
{
    *input = (struct input){.name = "standard input", .fd = STDIN_FILENO};
    if (path && strcmp(path, "-") != 0) {
        input->name = path;
        input->fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
        if (input->fd < 0)
            return -errno;
    } else if (isatty(STDIN_FILENO)) {
        complain("reading from the terminal, end with Ctrl-D");
    }
    input->size = input_measure(input->fd);
    return 0;
}

void input_finish(struct input *input)
{
    if (input->fd > STDIN_FILENO)
        close(input->fd);
    input->fd = -1;
}

int input_read(struct input *input, void *buffer, size_t size, size_t *ret_size)
{
    struct pollfd wait = {.fd = input->fd, .events = POLLIN};
    size_t filled = 0;

    while (filled < size) {
        ssize_t got = read(input->fd, (char *)buffer + filled, size - filled);

        if (got == 0)
            break;
        if (got > 0)
            filled += (size_t)got;
        else if (errno == EAGAIN) /* somebody made the pipe non-blocking for all its users */
            poll(&wait, 1, -1);
        else if (errno != EINTR)
            return -errno;
    }
    *ret_size = filled;
    return 0;
}

int input_read_all(struct input *input, uint64_t most, char **ret_bytes, size_t *ret_size)
{
    size_t room = 0, used = 0, got = 0;
    char *bytes = NULL;
    char *larger;
    int error;

    do {
        room = room ? 2 * room : (size_t)64 * 1024;
        larger = realloc(bytes, room);
        error = larger ? 0 : -ENOMEM;
        if (larger)
            bytes = larger;
        if (!error)
            error = input_read(input, bytes + used, room - used, &got);
        if (!error)
            used += got;
        if (!error && used > most)
            error = -EFBIG;
    } while (!error && used == room);
    if (error) {
        free(bytes);
        return error;
    }
    *ret_bytes = bytes;
    *ret_size = used;
    return 0;
}
