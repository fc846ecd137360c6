/* Two processes, a Unix socket between them, and nothing else: what any server costs at least. */
#include "bench/process.h"
#include "bench/run.h"
#include "bench/subject.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static bool pass(ssize_t result)
{
    return result == ECHO_BYTES;
}

static _Noreturn void answer(int fd)
{
    char bytes[ECHO_BYTES];

    while (pass(recv(fd, bytes, sizeof(bytes), MSG_WAITALL)) &&
           pass(send(fd, bytes, sizeof(bytes), MSG_NOSIGNAL)))
        ;
    _exit(0);
}

static int other_end; /* 0: nothing is started yet */

static pid_t start(void)
{
    int fds[2];
    pid_t pid;

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) < 0)
        run_fail("socketpair: %s", strerror(errno));
    pid = process_fork();
    if (pid == 0) {
        close(fds[0]);
        answer(fds[1]);
    }
    close(fds[1]);
    other_end = fds[0];
    return pid;
}

static void *open_echo(bool writes)
{
    (void)writes;
    return &other_end;
}

static void close_echo(void *connection)
{
    (void)connection;
}

static void echo(void *connection, const struct key *key, uint32_t size)
{
    int fd = *(int *)connection;
    char bytes[ECHO_BYTES] = {0};

    (void)size;
    memcpy(bytes, key->bytes, KEY_BYTES);
    if (!pass(send(fd, bytes, sizeof(bytes), MSG_NOSIGNAL)) ||
        !pass(recv(fd, bytes, sizeof(bytes), MSG_WAITALL))) {
        run_check();
        run_fail("the echo does not answer");
    }
}

const struct subject subject_echo = {
    .name = "bare echo",
    .id = "echo",
    .start = start,
    .open = open_echo,
    .close = close_echo,
    .calls = {[CALL_ECHO] = echo},
};
