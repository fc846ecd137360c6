/*
 * Locks: a name that one client at a time has, in the order of asking. A lock is its client's,
 * which gives it up or ends; nothing of it is in the store but its token, a version, so that the
 * tokens of a lock only grow, also beyond the end of the daemon.
 */
#ifndef MEMSTORED_LOCKS_H
#define MEMSTORED_LOCKS_H

#include "protocol.h"
#include "store.h"
#include "table.h"

#include <stdbool.h>
#include <sys/queue.h>

struct lock_claim;
struct client;
struct lock;
struct server;

TAILQ_HEAD(lock_queue, lock);

struct locks {
    struct table tables[LOCK_SPACES]; /* the locks that somebody has or wants, by space */
    struct lock_queue free;           /* wanted, and nobody has them */
    struct lock_queue granted;        /* given away, with a token that is not committed */
    size_t held;
    size_t waiting; /* clients */
};

/* Negative errno. */
int locks_init(struct locks *locks);
void locks_finish(struct locks *locks);

/* What a client asks for; pointers are copied from. */
struct lock_wish {
    const struct frame_header *header;
    struct store_key name;
    enum lock_space space;
    bool only_now; /* not if it has to wait */
};

/* Has the client wait for a lock; the answer is its request's. -EALREADY: it has one; -EBUSY: it
 * would have to wait; -ENOMEM. */
int lock_claim_start(struct client *client, const struct lock_wish *wish);

/* The client has the lock, and does not wait for it any more. */
bool lock_claim_holds(const struct lock_claim *claim);

/* Whose lock it is. */
uint32_t lock_claim_bucket(const struct lock_claim *claim);

/* The lock is given up, or waited for no longer. */
void lock_claim_end(struct lock_claim *claim);

/* Gives away what is free; before the commit of a turn. */
void locks_grant(struct server *server);

/* What was given away is committed, and told; or not, for that reason. */
void locks_settle(struct server *server, int error);

/* A bucket was dropped: whoever waits for a lock in it is told -ENXIO. Those who have one keep it;
 * nobody else will ever get it. */
void locks_end(struct server *server, uint32_t bucket);

#endif
