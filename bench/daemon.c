#include "bench/daemon.h"

#include "bench/process.h"
#include "bench/timing.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define START_MS 10000

/* A socket for the word that it is ready; $NOTIFY_SOCKET names it. */
static int open_notify(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    char path[RUN_PATH];
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    run_path(path, "notify");
    snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
    unlink(path);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
        run_fail("%s: %s", path, strerror(errno));
    setenv("NOTIFY_SOCKET", path, 1);
    return fd;
}

static void close_notify(int fd)
{
    unsetenv("NOTIFY_SOCKET");
    close(fd);
}

static void await_ready(int notify)
{
    struct pollfd wait = {.fd = notify, .events = POLLIN};
    char text[256] = "";

    while (!strstr(text, "READY=1")) {
        ssize_t length;

        if (poll(&wait, 1, START_MS) <= 0) {
            run_check();
            run_fail("memstored does not become ready");
        }
        length = recv(notify, text, sizeof(text) - 1, 0);
        text[length > 0 ? length : 0] = '\0';
    }
}

void daemon_start(struct daemon *daemon, const char *name)
{
    char program[256], data[RUN_PATH], file[48];
    const char *arguments[] = {program,      "--socket", daemon->socket, "--data", data,
                               "--max-size", "2G",       "--max-memory", "4G",     NULL};
    int notify = open_notify();
    int64_t start;

    snprintf(program, sizeof(program), "%s/memstored", settings.build);
    run_path(daemon->socket, name);
    snprintf(file, sizeof(file), "%.32s-data", name);
    run_path(data, file);
    start = timing_now();
    daemon->pid = process_start(arguments, name);
    await_ready(notify);
    daemon->start_ns = timing_now() - start;
    close_notify(notify);
}

void daemon_stop(struct daemon *daemon)
{
    process_stop(daemon->pid);
}
