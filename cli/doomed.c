#include "doomed.h"

#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <unistd.h>

/* For the signal handler. */
static const char *volatile doomed;
static volatile sig_atomic_t doomed_folder;

static void die_tidily(int number)
{
    if (doomed)
        unlinkat(doomed_folder, doomed, 0);
    raise(number); /* SA_RESETHAND: this time it ends us */
}

static void watch_signals(void)
{
    static const int numbers[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};
    struct sigaction tidy = {.sa_handler = die_tidily, .sa_flags = SA_RESETHAND};
    struct sigaction old;

    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        if (sigaction(numbers[i], NULL, &old) == 0 && old.sa_handler == SIG_DFL)
            sigaction(numbers[i], &tidy, NULL);
    }
    signal(SIGXFSZ, SIG_IGN); /* a file that grows too big is then -EFBIG, not the end of us */
}

void doomed_set(int folder, const char *name)
{
    static int is_watched;

    doomed_folder = folder;
    doomed = name;
    if (!is_watched)
        watch_signals();
    is_watched = 1;
}

void doomed_clear(void)
{
    doomed = NULL;
}
