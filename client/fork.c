#include "fork.h"

#include "direct.h"
#include "sockets.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>

static _Atomic unsigned generation = 1;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static int watched;

unsigned fork_generation(void)
{
    return atomic_load_explicit(&generation, memory_order_relaxed);
}

/* Sessions make connections before a fork. */
static void before(void)
{
    direct_before_fork();
    sockets_before_fork();
}

static void in_parent(void)
{
    sockets_after_fork_in_parent();
    direct_after_fork_in_parent();
}

static void in_child(void)
{
    atomic_fetch_add(&generation, 1);
    sockets_after_fork_in_child();
    direct_after_fork_in_child();
}

static void watch(void)
{
    watched = pthread_atfork(before, in_parent, in_child) == 0 ? 0 : -ENOMEM;
}

int fork_watch(void)
{
    pthread_once(&once, watch);
    return watched;
}
