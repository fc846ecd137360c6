#include "guard.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>

/* Set while a client's memory is touched; the daemon does that in one thread. */
static volatile sig_atomic_t copying;
static sigjmp_buf escape;

static void on_fault(int signal_number)
{
    if (copying)
        siglongjmp(escape, 1);
    /* A fault of our own: ends the process the usual way, when the instruction runs again. */
    signal(signal_number, SIG_DFL);
}

int guard_start(void)
{
    struct sigaction action = {.sa_handler = on_fault, .sa_flags = SA_NODEFER};

    return sigaction(SIGBUS, &action, NULL) < 0 ? -errno : 0;
}

int guard_call(int (*call)(void *context), void *context)
{
    int r;

    if (sigsetjmp(escape, 0) != 0) {
        copying = 0;
        return -EFAULT;
    }
    copying = 1;
    atomic_signal_fence(memory_order_seq_cst); /* the call stays between the two */
    r = call(context);
    atomic_signal_fence(memory_order_seq_cst);
    copying = 0;
    return r;
}

int guard_copy(void *to, const void *from, size_t size)
{
    if (size == 0)
        return 0;
    if (sigsetjmp(escape, 0) != 0) {
        copying = 0;
        return -EFAULT;
    }
    copying = 1;
    atomic_signal_fence(memory_order_seq_cst); /* the copy stays between the two */
    memcpy(to, from, size);
    atomic_signal_fence(memory_order_seq_cst);
    copying = 0;
    return 0;
}
