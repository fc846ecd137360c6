/* Which process this is, told without a system call: a number that changes in a forked child. */
#ifndef MEMSTORE_FORK_H
#define MEMSTORE_FORK_H

/* The number of this process; never 0. */
unsigned fork_generation(void);

/* Begins to count forks, and to have connections and sessions follow them; more calls change
 * nothing. -ENOMEM. */
int fork_watch(void);

#endif
