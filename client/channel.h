/*
 * A channel: one connection to the daemon and its bulk buffer. It asks and waits for the answer,
 * by the deadline, believes nothing that the answer says before it is checked, and connects anew
 * where that is safe. Used by one thread at a time.
 */
#ifndef MEMSTORE_CHANNEL_H
#define MEMSTORE_CHANNEL_H

#include "bulk.h"
#include "common/connection.h"
#include "common/protocol.h"
#include "common/record.h"
#include "common/spin.h"
#include "identity.h"
#include "memstore.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#define REQUEST_PARTS 4

struct part {
    const void *bytes;
    size_t length;
};

struct request {
    enum operation operation;
    const struct condition *condition; /* NULL: none */
    struct part parts[REQUEST_PARTS]; /* the body; it starts with the bucket's id, filled in here */
    bool by_name;                     /* it does not: it has the name of a bucket, or none */
    struct part value;                /* of a put: at the body's end or in the bulk buffer */
    bool is_owned;                    /* goes over the connection that ephemeral objects end with */
    bool wants_room;                  /* the answer may use the bulk buffer */
    uint64_t room;                    /* and needs so many bytes of it at least */
};

struct answer {
    struct frame frame;  /* stands in the connection's buffer until channel_done */
    int status;          /* 0 or the daemon's negative errno; then the body is its text */
    const char *bucket;  /* the name of the channel's */
    bool is_conflict;    /* the condition failed: */
    uint64_t conflict;   /* version of the object that is there; 0: there is none */
    const uint8_t *bulk; /* what stands in the bulk buffer, or NULL */
    size_t bulk_length;
    uint64_t bulk_used; /* bytes of the bulk buffer that the call touched */
};

struct channel {
    const char *socket;           /* path; not owned */
    struct identity *identity;    /* of its bucket; not owned */
    struct connection connection; /* its fd is -1 while there is none */
    struct bulk bulk;
    bool is_for_child; /* a forked child keeps the connection; said before it is made (direct.c) */
    bool is_listed;    /* sockets.c */
    LIST_ENTRY(channel) entry;
    bool attached;   /* this connection's daemon has the bulk buffer */
    bool holds_bulk; /* it is in use, and must not be taken away */
    bool sent;       /* the daemon may have got some of the request under way */
    enum memstore_calls calls;
    unsigned called; /* requests on this connection, until it has a ring or is refused one */
    struct spin spin;
    bool woke;            /* the daemon slept when it was last asked */
    uint32_t ring_before; /* where the ring stood before the request under way */
    uint64_t stream_id;   /* of the request whose value goes through the window (stream.h) */
    uint64_t filled;      /* bytes of that value which are in the window, or were */
    uint32_t bucket;
    uint8_t store_id[STORE_ID_BYTES]; /* of the store behind the connection */
    uint64_t last_id;
};

/* Connects nothing yet. Path and identity must live as long as the channel. */
void channel_init(struct channel *channel, const char *socket, struct identity *identity,
                  enum memstore_calls calls);

/* The same for one of its own, of this process. NULL: out of memory, or nothing to destroy. */
struct channel *channel_create(const char *socket, struct identity *identity,
                               enum memstore_calls calls);
void channel_destroy(struct channel *channel);

/* Closes the connection and drops the bulk buffer; says nothing to the daemon, and so is right in a
 * forked child too. The channel can be used on. */
void channel_reset(struct channel *channel);

/*
 * Connects and agrees on a version and a bucket. Errors: those of memstore_open; the message is
 * set.
 */
int channel_connect(struct channel *channel, int64_t deadline);

/*
 * Connects, and asks on the way for what direct reads need: one round trip for both. Returns 0 when
 * there is an answer to DIRECT, whatever its status; then channel_done must follow.
 */
int channel_connect_direct(struct channel *channel, int64_t deadline, struct answer *ret_answer);

/*
 * Sends the request and waits for the answer. Returns 0 when there is one, whatever its status;
 * then channel_done must follow. Otherwise a negative errno, the message is set, and the
 * connection is closed; the next call makes a new one.
 *
 * If the connection turns out to be dead before it took any of the request, a new one is tried
 * once; a request that changes nothing is repeated also if it died while waiting.
 */
int channel_call(struct channel *channel, struct request *request, int64_t deadline,
                 struct answer *ret_answer);

/*
 * Drops the answer. result is what the caller made of it: -EPROTO closes the connection and sets
 * the message. Returns result.
 */
int channel_done(struct channel *channel, const struct answer *answer, int result);

/* Takes the bulk buffer into use, so that what is put into it stays; the next channel_done gives it
 * back, or channel_give_bulk. -ETIMEDOUT, -ECONNRESET, -EPROTO. */
int channel_take_bulk(struct channel *channel, int64_t deadline);
void channel_give_bulk(struct channel *channel);

/* Sets the message for an answer whose status is an error: what was tried, and the daemon's words
 * or ours; of a bucket that was dropped, that. Returns the status. */
int answer_fail(const struct answer *answer, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
