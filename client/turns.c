#include "turns.h"

#include "deadline.h"

#include <errno.h>
#include <stddef.h>

struct turn {
    struct turn *next;
    pthread_cond_t given;
    bool has_it;
};

void turns_init(struct turns *turns)
{
    *turns = (struct turns){0};
    pthread_mutex_init(&turns->mutex, NULL);
}

void turns_finish(struct turns *turns)
{
    pthread_mutex_destroy(&turns->mutex);
}

static void turn_init(struct turn *turn)
{
    pthread_condattr_t attributes;

    *turn = (struct turn){0};
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&turn->given, &attributes);
    pthread_condattr_destroy(&attributes);
}

static void turns_append(struct turns *turns, struct turn *turn)
{
    struct turn **place = &turns->first;

    while (*place)
        place = &(*place)->next;
    *place = turn;
}

static void turns_remove(struct turns *turns, struct turn *turn)
{
    struct turn **place = &turns->first;

    while (*place != turn)
        place = &(*place)->next;
    *place = turn->next;
}

/* The mutex is held. */
static int turns_wait(struct turns *turns, int64_t deadline)
{
    const struct timespec until = deadline_timespec(deadline);
    struct turn turn;
    int r = 0;

    turn_init(&turn);
    turns_append(turns, &turn);
    while (!turn.has_it && r != ETIMEDOUT)
        r = pthread_cond_timedwait(&turn.given, &turns->mutex, &until);
    if (!turn.has_it)
        turns_remove(turns, &turn);
    pthread_cond_destroy(&turn.given);
    return turn.has_it ? 0 : -ETIMEDOUT;
}

int turns_take(struct turns *turns, int64_t deadline)
{
    int r = 0;

    pthread_mutex_lock(&turns->mutex);
    if (turns->taken)
        r = turns_wait(turns, deadline);
    else
        turns->taken = true;
    pthread_mutex_unlock(&turns->mutex);
    return r;
}

void turns_pass(struct turns *turns)
{
    struct turn *next;

    pthread_mutex_lock(&turns->mutex);
    next = turns->first;
    if (next) {
        /* Signalled under the mutex: as soon as it is free, `next` may be gone. */
        turns->first = next->next;
        next->has_it = true;
        pthread_cond_signal(&next->given);
    } else {
        turns->taken = false;
    }
    pthread_mutex_unlock(&turns->mutex);
}
