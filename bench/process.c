#include "bench/process.h"

#include "bench/run.h"
#include "bench/timing.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define PROCESSES_MAX 64
#define START_NS (10 * SECOND_NS)
#define STOP_NS (10 * SECOND_NS)
#define JOIN_NS (60 * SECOND_NS)

static pid_t running[PROCESSES_MAX];
static int running_count;

bool process_is_installed(const char *program)
{
    const char *search = getenv("PATH");
    char *folders, *rest, path[512];
    bool found = false;

    if (strchr(program, '/'))
        return access(program, X_OK) == 0;
    rest = folders = strdup(search ? search : "/usr/bin:/bin");
    for (char *folder; !found && rest && (folder = strsep(&rest, ":"));) {
        snprintf(path, sizeof(path), "%s/%s", folder, program);
        found = access(path, X_OK) == 0;
    }
    free(folders);
    return found;
}

static void forget(int index)
{
    running[index] = running[--running_count];
}

pid_t process_fork(void)
{
    pid_t parent = getpid();
    pid_t pid;

    if (running_count == PROCESSES_MAX)
        run_fail("too many processes");
    fflush(NULL);
    pid = fork();
    if (pid < 0)
        run_fail("fork: %s", strerror(errno));
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != parent)
            _exit(1);
        running_count = 0;
        return 0;
    }
    running[running_count++] = pid;
    return pid;
}

static _Noreturn void execute(const char *const arguments[], const char *log)
{
    int in = open("/dev/null", O_RDONLY | O_CLOEXEC);
    int out = open(log, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    if (in >= 0 && out >= 0) {
        dup2(in, STDIN_FILENO);
        dup2(out, STDOUT_FILENO);
        dup2(out, STDERR_FILENO);
        signal(SIGPIPE, SIG_DFL);
        execvp(arguments[0], (char *const *)(uintptr_t)arguments);
    }
    dprintf(STDERR_FILENO, "%s: %s\n", arguments[0], strerror(errno));
    _exit(127);
}

static void print_log(const char *path)
{
    char line[512];
    FILE *log = fopen(path, "re");

    while (log && fgets(line, sizeof(line), log))
        fprintf(stderr, "  %s", line);
    if (log)
        fclose(log);
}

static bool takes_connections(const char *socket_path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool connected;

    if (fd < 0)
        run_fail("socket: %s", strerror(errno));
    snprintf(address.sun_path, sizeof(address.sun_path), "%s", socket_path);
    connected = connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0;
    close(fd);
    return connected;
}

static void log_path(char path[RUN_PATH], const char *name)
{
    char file[64];

    snprintf(file, sizeof(file), "%.40s.log", name);
    run_path(path, file);
}

pid_t process_start(const char *const arguments[], const char *name)
{
    char log[RUN_PATH];
    pid_t pid;

    log_path(log, name);
    pid = process_fork();
    if (pid == 0)
        execute(arguments, log);
    return pid;
}

pid_t process_serve(const char *const arguments[], const char *socket)
{
    int64_t deadline = timing_now() + START_NS;
    const char *name = basename(arguments[0]);
    pid_t pid = process_start(arguments, name);
    char log[RUN_PATH];

    log_path(log, name);
    while (!takes_connections(socket)) {
        run_check();
        if (waitpid(pid, NULL, WNOHANG) == pid) {
            forget(running_count - 1);
            print_log(log);
            run_fail("%s ended at its start", arguments[0]);
        }
        if (timing_now() > deadline)
            run_fail("%s does not take connections", arguments[0]);
        timing_sleep(MILLISECOND_NS);
    }
    return pid;
}

static bool wait_until(pid_t pid, int64_t deadline, int *ret_status)
{
    while (waitpid(pid, ret_status, WNOHANG) == 0) {
        if (timing_now() > deadline)
            return false;
        timing_sleep(MILLISECOND_NS);
    }
    return true;
}

/* Returns its status. */
static int await_end(pid_t pid)
{
    int status = 0;
    int index = running_count - 1;

    while (running[index] != pid)
        index--;
    if (!wait_until(pid, timing_now() + JOIN_NS, &status))
        run_fail("a process does not end");
    forget(index);
    return status;
}

void process_join(pid_t pid)
{
    if (await_end(pid) != 0)
        run_fail("a worker failed");
}

void process_stop(pid_t pid)
{
    kill(pid, SIGTERM);
    await_end(pid);
}

void process_run(const char *const arguments[], const char *output)
{
    pid_t pid = process_fork();

    if (pid == 0)
        execute(arguments, output);
    if (await_end(pid) != 0) {
        print_log(output);
        run_fail("%s failed", arguments[0]);
    }
}

void process_stop_all(void)
{
    int64_t deadline = timing_now() + STOP_NS;
    int status;

    for (int i = 0; i < running_count; i++)
        kill(running[i], SIGTERM);
    while (running_count > 0 && wait_until(running[0], deadline, &status))
        forget(0);
    process_kill_all();
}

void process_kill_all(void)
{
    while (running_count > 0) {
        kill(running[0], SIGKILL);
        waitpid(running[0], NULL, 0);
        forget(0);
    }
}
