/*
 * The sockets of this process's channels. A forked child has copies of them, and as long as it
 * lived the daemon would not see the end of its parent: so it closes them at once.
 */
#ifndef MEMSTORE_SOCKETS_H
#define MEMSTORE_SOCKETS_H

struct channel;

/* Makes the channel's socket. Negative errno. */
int sockets_open(struct channel *channel);

/* Ends the channel's connection, if there is one. */
void sockets_close(struct channel *channel);

/* Around a fork. */
void sockets_before_fork(void);
void sockets_after_fork_in_parent(void);
void sockets_after_fork_in_child(void);

#endif
