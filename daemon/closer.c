#include "closer.h"

#include <pthread.h>
#include <stdbool.h>
#include <unistd.h>

#define WAITING_MAX 4096

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t more = PTHREAD_COND_INITIALIZER;
static int waiting[WAITING_MAX];
static unsigned count;
static bool started;

static void *run(void *unused)
{
    (void)unused;
    for (;;) {
        int fd;

        pthread_mutex_lock(&mutex);
        while (count == 0)
            pthread_cond_wait(&more, &mutex);
        fd = waiting[--count];
        pthread_mutex_unlock(&mutex);
        close(fd);
    }
    return NULL;
}

int closer_start(void)
{
    pthread_attr_t attributes;
    pthread_t thread;
    int r;

    pthread_attr_init(&attributes);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    pthread_attr_setstacksize(&attributes, 64U << 10);
    r = pthread_create(&thread, &attributes, run, NULL);
    pthread_attr_destroy(&attributes);
    started = r == 0;
    return -r;
}

void closer_close(int fd)
{
    bool taken = false;

    if (fd < 0)
        return;
    pthread_mutex_lock(&mutex);
    if (started && count < WAITING_MAX) {
        waiting[count++] = fd;
        taken = true;
        pthread_cond_signal(&more);
    }
    pthread_mutex_unlock(&mutex);
    if (!taken)
        close(fd);
}
