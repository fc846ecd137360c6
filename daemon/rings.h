/*
 * The rings of all clients, and how the daemon waits.
 *
 * A ring that was used of late is active: it is looked at in each turn, and when there is nothing
 * to do, again and again for a short while. Where that does not pay, it is left out (spin.h). Then
 * we sleep, and clients have to wake us. A ring that has been quiet for longer is left to sleep by
 * itself.
 */
#ifndef MEMSTORED_RINGS_H
#define MEMSTORED_RINGS_H

#include "spin.h"

#include <stddef.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/queue.h>

struct client;
struct server;

TAILQ_HEAD(ring_queue, client);

struct rings {
    struct ring_queue active;
    size_t count;    /* of the active */
    size_t cores;    /* that this process may use */
    uint64_t spin;   /* microseconds to look before sleeping; 0: sleep at once */
    uint64_t swept;  /* when quiet ones were last looked for */
    uint64_t polled; /* when the sockets were last looked at */
    struct spin when;
};

void rings_init(struct rings *rings, uint64_t spin);

/* Maps the file of a ring. Takes over fd. -EINVAL: not a sealed memfd of the right size; -ENOMEM.
 */
int rings_map(int fd, void **ret_file);

/* A client's frames go through the mapped ring from now on, answers that are queued excepted. */
void rings_begin(struct client *client, void *file);

/* Forgets a client that is being closed. */
void rings_leave(struct client *client);

/* Looks at the client's ring from now on. */
void rings_wake(struct client *client);

/*
 * As epoll_wait, for all that the daemon waits for: takes in what has come through the rings, and
 * makes those clients ready. Sockets may be left out in a turn where rings had something; they get
 * theirs soon.
 */
int rings_wait(struct server *server, struct epoll_event *events, int max, int timeout);

#endif
