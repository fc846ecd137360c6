/* A client: its connection, its bulk buffer, and how far its requests are. */
#ifndef MEMSTORED_CLIENT_H
#define MEMSTORED_CLIENT_H

#include "bulk.h"
#include "connection.h"
#include "pins.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>
#include <sys/types.h>

struct server;
struct client;

TAILQ_HEAD(client_queue, client);

/* Something that epoll watches. */
struct source {
    void (*dispatch)(struct server *server, struct source *source, uint32_t events);
};

struct client {
    struct source source; /* first */
    struct server *server;
    struct connection connection;
    struct bulk bulk;
    struct pins pins; /* of a direct reader */
    uid_t uid;
    uint32_t bucket;                     /* that HELLO named */
    uint64_t direct_hits, direct_misses; /* of a direct reader: what has been taken in */
    bool greeted;                        /* said HELLO */
    bool ended;                          /* has sent all it will */
    bool closing;                        /* gets its answers, and is closed then */
    bool dead;                           /* closed; freed at the end of the turn */
    bool is_large;                       /* its next request moves much: it waits for its time */
    bool progress;                       /* since it was last waited for */
    bool chain_broken;             /* an answer did not fit: what is chained to it is not done */
    uint32_t interest;             /* what epoll watches for */
    uint64_t moved;                /* bytes of values in its share of this turn */
    size_t uncommitted;            /* bytes of answers that the next commit decides on */
    struct listing *listing;       /* under way; nothing else is handled meanwhile */
    struct upload *upload;         /* the same */
    struct wait *wait;             /* the same */
    struct watch *watch;           /* the same, without an end */
    struct lock_claim *claim;      /* the same, until it has the lock */
    struct client_queue *answered; /* queue of those with answers that it is in; or NULL */
    struct owner *owner;           /* of objects; NULL: it has none yet (lifetimes.h) */
    uint64_t waiting_since;        /* 0: it is not waited for */
    uint64_t ring_used;            /* when a request last came through the ring */
    uint32_t ring_changes;         /* what the ring's futex was set to */
    bool ring_moved;               /* something was put into it or taken out since */
    bool is_ready;                 /* in that queue */
    bool is_active;                /* rings.h */
    bool is_warm;                  /* idle.h */
    uint64_t bulk_used;            /* when the bulk buffer was */
    bool is_short;                 /* its batch found no memory (shortage.h) */
    unsigned shortages;            /* how often its request found none, and objects were evicted */
    int64_t short_since;           /* when there was no room for its request, boottime.h; or 0 */
    TAILQ_ENTRY(client) all, ready, replied, waiting, active, warm, direct, dead_entry;
};

/* Takes over a connected socket; on failure it is left open. -ENOMEM, -ENOSPC. */
int client_create(struct server *server, int fd);

/* Closes it now. Its memory lives until the end of the turn. */
void client_close(struct client *client);

/* Takes in what has come through the ring. Returns whether there is something to do. */
bool client_look(struct client *client);

/* Tells a client with a ring that something in it has changed. -EFAULT. */
int client_tell(struct client *client);

/* Handles what has arrived, up to a share of the turn. */
void client_process(struct client *client);

/* Sends what waits, and decides what to wait for next. */
void client_flush(struct client *client);

/* Its requests got no further because of a listing or an upload; it has ended. */
void client_go_on(struct client *client);

/* Puts it into a queue of those that have answers to be sent, instead of another. NULL: none. */
void client_line_up(struct client *client, struct client_queue *queue);

/* It has been answered what it waited for, and that is committed. One change may be what many wait
 * for: so it is sent in a turn where there is time for it. */
void client_told(struct client *client);

/* Times that a request may ask for something before it can be handled. */
#define WISHES_MAX 4

/*
 * Does what a request asks for before it can be handled (request_handle). Returns whether to try it
 * again: not if the client was closed on the way, for lack of memory.
 */
bool client_prepare(struct client *client, int wish);

/*
 * Queues the answer to a request: copies operation and id, returns the body's place. `extra` may
 * give bulk fields. NULL: out of memory, the client is closed.
 */
uint8_t *client_answer(struct client *client, const struct frame_header *request,
                       const struct frame_header *extra, size_t body_length);

/* The same for an error, with a text. */
void client_answer_error(struct client *client, const struct frame_header *request, int status,
                         const char *format, ...) __attribute__((format(printf, 4, 5)));

/* Nothing of this turn happened: makes all its answers to this client say so. */
void client_fail_answers(struct client *client, int status);

#endif
