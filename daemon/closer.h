/*
 * Closing descriptors that came from clients. A close can block: for as long as a socket with
 * SO_LINGER lingers, or its file system likes. So a thread of its own does it.
 */
#ifndef MEMSTORED_CLOSER_H
#define MEMSTORED_CLOSER_H

/* Starts the thread; signals must be blocked already. Negative errno. */
int closer_start(void);

/* Closes it soon. Before closer_start, and while very many wait, at once. */
void closer_close(int fd);

#endif
