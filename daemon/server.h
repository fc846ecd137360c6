/*
 * The server: one thread, one epoll loop. A turn of the loop takes in what all clients have sent,
 * applies it in one transaction, commits, and only then sends the answers.
 */
#ifndef MEMSTORED_SERVER_H
#define MEMSTORED_SERVER_H

#include "client.h"
#include "direct.h"
#include "lifetimes.h"
#include "listener.h"
#include "locks.h"
#include "rings.h"
#include "statistics.h"
#include "store.h"
#include "waits.h"
#include "watches.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

TAILQ_HEAD(listing_queue, listing);
TAILQ_HEAD(upload_turns, upload);

struct server {
    struct store *store;
    struct listener *listener;
    struct source listener_sources[LISTENERS_MAX];
    struct source signal_source;
    int epoll_fd;
    int signal_fd;
    int spare_fd; /* given up for a moment to refuse a client when descriptors are out */

    size_t clients;
    size_t clients_max;
    struct client_queue all;
    struct client_queue ready;   /* have requests to be handled */
    struct client_queue replied; /* have answers from this turn */
    struct client_queue told;    /* have answers that they waited for */
    struct client_queue waiting; /* are waited for, the longest first */
    struct client_queue warm;    /* have bulk buffers to give back, the idlest first */
    struct client_queue dead;    /* to be freed at the end of the turn */
    struct listing_queue listings;
    struct upload_turns uploads; /* those that can go on */
    struct waits waits;
    struct watches watches;
    struct locks locks;
    struct rings rings;

    uint64_t remains_again; /* when to try again after a failure (remains.h); 0: now */
    struct direct direct;
    struct statistics statistics;
    bool large_allowed; /* a request that moves much may be handled now */
    bool large_done;    /* it was */
    bool collected;     /* memory was just looked for; what is not there now is not to be had */

    struct owner_queue abandoned; /* owners whose client is gone */
    uint32_t last_owner;          /* the number that was last given away */
    uint64_t lifetimes_again;     /* when to go on after objects could not be taken away; or 0 */

    uint64_t client_timeout; /* microseconds */
    uint64_t watchdog;       /* microseconds between signs of life; 0: none wanted */
    uint64_t watchdog_next;
    uint64_t started;
    uint64_t turn_started;
    uint64_t accept_again; /* when to accept again after a failure; 0: now */
    uint64_t requests;
    uint64_t refused; /* for lack of quota or memory */
    int failure;      /* why it can't go on */
    bool stopping;
    bool keep; /* the store stays after the end */
};

struct server_settings {
    struct listener *listener;
    struct store *store;
    const char *folder; /* of the store */
    enum direct_mode direct;
    bool keep;               /* the store stays after the end */
    unsigned client_timeout; /* seconds */
    unsigned spin;           /* microseconds (rings.h) */
};

/* Serves until SIGTERM, SIGINT or SIGHUP (returns 0) or until the store fails (negative errno). */
int server_run(struct server *server, const struct server_settings *settings);

/* Commits what was done so far in this turn, and tells those who wait for it; if that fails, its
 * answers become failures. Returns 0 or a negative errno. */
int server_commit(struct server *server);

/* CLOCK_MONOTONIC in microseconds. */
uint64_t server_now(void);

#endif
