/* What the files of a channel share: channel.c, connect.c, await.c; and those that need more than
 * calls: pipeline.c, atomic.c. */
#ifndef MEMSTORE_CHANNEL_PRIVATE_H
#define MEMSTORE_CHANNEL_PRIVATE_H

#include "channel.h"

/* What an answer must look like. */
struct expected {
    enum operation operation;
    uint64_t id;
    bool fds;                       /* descriptors come with it */
    bool condition;                 /* which may have failed */
    bool bulk;                      /* it may use the bulk buffer, */
    uint64_t room;                  /* bytes from its start */
    const struct expected *instead; /* may come in its place; or NULL */
};

/* Connects where there is no connection. Errors as channel_connect, but a missing socket is
 * -ECONNREFUSED. */
int channel_reconnect(struct channel *channel, int64_t deadline);

/* Has a connection, on which nothing is under way. */
int channel_begin(struct channel *channel, int64_t deadline);

/* Has the bulk buffer attached, which must be there. As channel_await. */
int channel_attach(struct channel *channel, int64_t deadline);

/* Whether the daemon may have got some of what was queued since channel_begin or channel_attach. */
bool channel_has_sent(const struct channel *channel);

/* Sends what waits, as far as that goes without waiting. Errors as of connection_send;
 * channel_await deals with them too. */
int channel_send(struct channel *channel);

/* Whether there is no connection, or something has come on it that nobody asked for, be it its end.
 */
bool channel_has_news(const struct channel *channel);

/* Nothing is under way any more. */
void channel_end(struct channel *channel);

/*
 * Sends what waits and waits for the answer. Returns 0 or a negative errno: -EPROTO if it is not
 * what is expected, -ECONNRESET if the connection is dead, -ETIMEDOUT.
 */
int channel_await(struct channel *channel, const struct expected *expected, int64_t deadline,
                  struct answer *ret_answer);

/* Finds the answer in what has arrived. Returns 1, 0 if it is not there yet, or -EPROTO. */
int channel_take(struct channel *channel, const struct expected *expected,
                 struct answer *ret_answer);

/* Sends all that waits. Errors as channel_await. */
int channel_send_all(struct channel *channel, int64_t deadline);

/* Closes the connection; the bulk buffer stays. */
void channel_close(struct channel *channel);

/* Closes the connection because of an error, and sets the message. Returns the error. */
int channel_fail(struct channel *channel, int error);

#endif
