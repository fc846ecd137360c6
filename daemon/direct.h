/*
 * Direct readers: who may read the store in place, what they hold, and when that is free.
 */
#ifndef MEMSTORED_DIRECT_H
#define MEMSTORED_DIRECT_H

#include "client.h"
#include "options.h"
#include "pins.h"

#define COMMIT_TIMES 1024

struct inherited_pins;
TAILQ_HEAD(direct_queue, client);
TAILQ_HEAD(inherited_queue, inherited_pins);

struct commit_time {
    uint64_t txn;
    uint64_t time; /* server_now() */
};

struct direct {
    enum direct_mode mode;
    gid_t group;   /* of the socket, for DIRECT_GROUP */
    int folder_fd; /* the data folder */
    struct state_page *state;
    unsigned last_number;
    struct direct_queue readers;
    struct inherited_queue inherited; /* tables of clients of an earlier daemon */
    size_t tables;                    /* of both */

    uint64_t garbage_seen;  /* blobs waiting after the last turn */
    uint64_t garbage_left;  /* bytes that could not be freed when that was last tried */
    uint64_t collect_next;  /* when to look again for what can be freed; 0: nothing waits */
    uint64_t collect_delay; /* microseconds; grows while nothing can be */
    uint64_t check_next;    /* when to look again for readers that died; 0: not */
    uint64_t check_delay;

    /* When recent transactions were committed, a millisecond apart at least: for the age of
     * readers. */
    struct commit_time times[COMMIT_TIMES];
    size_t times_count;
};

/* Takes the data folder and what an earlier daemon left in it. */
int direct_init(struct server *server, const char *folder, const char *socket,
                enum direct_mode mode);

/* Tells all direct readers that the store ends here, and removes their tables. */
void direct_finish(struct server *server);

/* Makes the client a direct reader. -EPERM: not this user; -EALREADY; -ENOSPC and others. */
int direct_admit(struct client *client);

/* A direct reader is gone. */
void direct_leave(struct client *client);

/* Frees what nobody reads any more, if it is time; after the commit of a turn. */
void direct_collect(struct server *server);

/* The same now, because memory is needed. */
void direct_collect_now(struct server *server);

/* Starts an empty store afresh, because memory is needed in one piece. */
void direct_renew(struct server *server);

/* The blobs that are viewed, for the store (struct store_pins). */
int direct_pinned(void *server, uint64_t **ret_ids, size_t *ret_count);

/* Notes when the newest transaction was committed. */
void direct_note_commit(struct server *server);

/* When direct_collect has to be called again; UINT64_MAX: it has not. */
uint64_t direct_next(const struct server *server);

/* The holders, those with the most pinned bytes first. Returns how many were written. */
size_t direct_holders(struct server *server, struct holder *holders, size_t max);

/* How many there are, and what their views keep. */
struct direct_totals {
    uint64_t readers;
    uint64_t views;
    uint64_t pinned;
};
void direct_totals(struct server *server, struct direct_totals *ret_totals);

#endif
