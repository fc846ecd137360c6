/*
 * Clients that are idle give back the memory of their bulk buffers. The daemon does it for those
 * with a ring: a library has nobody to do it, while the program is busy with other things.
 */
#ifndef MEMSTORED_IDLE_H
#define MEMSTORED_IDLE_H

#include <stdint.h>

struct client;
struct server;

/* The client's bulk buffer has been used: not yet. */
void idle_note(struct client *client);

/* Gives back the memory of those that have been idle for long enough, a bounded part of it. */
void idle_give_back(struct server *server);

/* When there is more to do, as server_now; UINT64_MAX: nothing. */
uint64_t idle_next(const struct server *server);

/* Forgets a client that is being closed. */
void idle_leave(struct client *client);

#endif
