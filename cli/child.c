#include "child.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

/* Passed on to the child; and those that a terminal sends to it as well. */
static const int passed_on[] = {SIGTERM, SIGHUP};
static const int left_to_it[] = {SIGINT, SIGQUIT};
#define SIGNALS 2

static volatile sig_atomic_t running; /* the child, or 0 */
static struct sigaction passed_before[SIGNALS];
static struct sigaction left_before[SIGNALS];

static void pass_on(int signal)
{
    int before = errno;

    if (running > 0)
        kill((pid_t)running, signal);
    errno = before;
}

/* What the caller has us ignore, as nohup does, stays ignored. */
static void take_signal(int signal, void (*handler)(int), struct sigaction *ret_before)
{
    struct sigaction action = {.sa_handler = handler, .sa_flags = SA_RESTART};

    sigemptyset(&action.sa_mask);
    sigaction(signal, NULL, ret_before);
    if (ret_before->sa_handler != SIG_IGN)
        sigaction(signal, &action, NULL);
}

static void take_signals(void)
{
    for (size_t i = 0; i < SIGNALS; i++) {
        take_signal(passed_on[i], pass_on, &passed_before[i]);
        take_signal(left_to_it[i], SIG_IGN, &left_before[i]);
    }
}

static void give_signals_back(void)
{
    for (size_t i = 0; i < SIGNALS; i++) {
        sigaction(passed_on[i], &passed_before[i], NULL);
        sigaction(left_to_it[i], &left_before[i], NULL);
    }
}

static void run(char *const *command, int output, pid_t parent)
{
    int error;

    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != parent)
        _exit(STATUS_FAILED); /* it died before that */
    if (output >= 0 && dup2(output, STDOUT_FILENO) < 0) {
        complain("standard output of %s: %s", command[0], strerror(errno));
        _exit(STATUS_FAILED);
    }
    execvp(command[0], command);
    error = errno;
    complain("%s: %s", command[0], strerror(error));
    _exit(error == ENOENT ? 127 : 126);
}

int child_start(struct child *child, char *const *command, int output)
{
    pid_t parent = getpid();
    sigset_t all, before;
    int error;

    child->fd = -1;
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, &before);
    take_signals();
    child->pid = fork();
    error = errno;
    running = child->pid;
    if (child->pid <= 0)
        give_signals_back();
    sigprocmask(SIG_SETMASK, &before, NULL);
    if (child->pid == 0)
        run(command, output, parent);
    if (child->pid < 0)
        return -error;
    child->fd = pidfd_open(child->pid, 0);
    return 0;
}

bool child_has_failed(const struct child *child)
{
    siginfo_t end = {0};

    return waitid(P_PID, (id_t)child->pid, &end, WEXITED | WNOHANG | WNOWAIT) == 0 &&
           end.si_pid == child->pid && (end.si_code != CLD_EXITED || end.si_status != 0);
}

int child_wait(struct child *child)
{
    siginfo_t end;
    int status = 0;

    /* Until it is reaped its number is no other's, so that no signal goes astray. */
    while (waitid(P_PID, (id_t)child->pid, &end, WEXITED | WNOWAIT) < 0 && errno == EINTR)
        ;
    running = 0;
    waitpid(child->pid, &status, 0);
    give_signals_back();
    if (child->fd >= 0)
        close(child->fd);
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

enum status child_run(char *const *command)
{
    struct child child;
    int error = child_start(&child, command, -1);

    if (!error)
        return (enum status)child_wait(&child);
    complain("%s: %s", command[0], strerror(-error));
    return STATUS_FAILED;
}
