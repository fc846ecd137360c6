#include "waiting.h"

#include "arguments.h"
#include "child.h"
#include "client/memstore.h"
#include "key.h"
#include "transfer.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* The command whose output becomes the value. */
struct computation {
    char *const *command;
    int status; /* in which it ended, unless that is 0 */
};

/* Returns 1, or 0 at the end of it. */
static int take_piece(struct memstore_writer *writer, int fd)
{
    char piece[65536];
    ssize_t size = read(fd, piece, sizeof(piece));
    int error = 0;

    if (size > 0)
        error = memstore_writer_write(writer, piece, (size_t)size);
    else if (size < 0 && errno != EINTR)
        error = -errno;
    return error ? error : size != 0;
}

/* Takes all, also from processes that the command left behind; but a command that failed has no
 * value, and these are not waited for. */
static int take_output(struct memstore_writer *writer, int fd, const struct child *child)
{
    struct pollfd waits[2] = {{.fd = fd, .events = POLLIN}, {.fd = child->fd, .events = POLLIN}};
    int more = 1;

    while (more > 0) {
        if (poll(waits, 2, -1) < 0)
            continue; /* a signal, and nothing else can be */
        if (waits[1].revents && child_has_failed(child))
            return 0;
        if (waits[1].revents)
            waits[1].fd = -1;
        if (waits[0].revents)
            more = take_piece(writer, fd);
    }
    return more;
}

static int compute(struct memstore_writer *writer, void *context)
{
    struct computation *computation = context;
    struct child child;
    int ends[2];
    int error;

    if (pipe2(ends, O_CLOEXEC) < 0)
        return -errno;
    error = child_start(&child, computation->command, ends[1]);
    close(ends[1]);
    if (error) {
        close(ends[0]);
        return error;
    }
    error = take_output(writer, ends[0], &child);
    close(ends[0]); /* after an error the command has nobody to write to */
    computation->status = child_wait(&child);
    return !error && computation->status ? -ECANCELED : error;
}

enum status waiting_once(struct memstore *store, const struct arguments *arguments)
{
    struct key key = key_of_argument(arguments->operands[0]);
    const struct memstore_put_options options = transfer_put_options(arguments);
    struct computation computation = {.command = arguments->child};
    struct memstore_object *object;
    enum status status;
    int error = memstore_once(store, key.bytes, key.length, compute, &computation, &options,
                              waiting_patience(arguments), &object);

    if (error == -ECANCELED && computation.status)
        return (enum status)computation.status;
    if (error)
        return waiting_complain(error);
    status = transfer_write(object, key.bytes, NULL);
    memstore_object_free(object);
    return status;
}
