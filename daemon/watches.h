/*
 * Those who watch a bucket: each change of an object whose key has their prefix is an event for
 * them. Events are committed into the history, from where each who watches is told of them, a
 * bounded number in each turn of the daemon. One whose connection is full is left alone until there
 * is room again; what the history has forgotten meanwhile is a gap, and told.
 */
#ifndef MEMSTORED_WATCHES_H
#define MEMSTORED_WATCHES_H

#include "history.h"
#include "protocol.h"
#include "store.h"
#include "table.h"

#include <stdbool.h>
#include <sys/queue.h>

struct client;
struct event;
struct server;
struct watch;
struct watched;

TAILQ_HEAD(watch_queue, watch);
TAILQ_HEAD(watched_queue, watched);

struct watches {
    struct table table;        /* the buckets that are watched */
    struct watched_queue news; /* those where something has happened */
    struct watch_queue behind; /* have events to be told of */
    struct history history;
    size_t count;
};

/* Begins at that version of the store. Negative errno. */
int watches_init(struct watches *watches, uint64_t version);
void watches_finish(struct watches *watches);

/* Has the client watch, which does nothing else then, from a version on or from now
 * (WATCH_FROM_NOW). Prefix and header are copied. -ENOMEM. */
int watch_start(struct client *client, const struct frame_header *header,
                const struct store_key *prefix, uint64_t from);

/* The client is gone. */
void watch_cancel(struct watch *watch);

/* Some of what waited for the client has been sent: it may go on. */
void watch_look(struct watch *watch);

/* Takes in an event that has been committed. */
void watches_tell(struct server *server, const struct event *event);

/* Goes on a little with those that are behind; after the commit of a turn. */
void watches_continue(struct server *server);

/* Whether somebody is. */
bool watches_are_behind(const struct watches *watches);

#endif
