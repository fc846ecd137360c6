/*
 * A raw client's ring (common/ring.h), for tests that do to one what no library would.
 *
 * Once a raw connection has a ring, raw_send, raw_receive and what is made of them go through it.
 * Words are read and written here as the header says, by none of the code that is tested.
 */
#ifndef MEMSTORE_RAW_RING_H
#define MEMSTORE_RAW_RING_H

#include "common/ring.h"
#include "tests/raw.h"

struct raw_ring {
    struct ring_page *page; /* the mapped file */
    uint8_t *requests;
    uint8_t *answers;
    uint32_t end;   /* of what we have put in */
    uint32_t start; /* of what we have not taken out */
};

/* A memfd that is a good ring, and its map. */
int raw_ring_file(void);
struct ring_page *raw_ring_map(int memfd);

/* Asks for a ring with these descriptors, over whatever way the connection has. */
void raw_ring_request(int fd, const int *fds, size_t count, int status);

/* Hands a good ring over and uses it. raw_open_ring connects first. It is the test's until
 * raw_connect uses the descriptor anew. */
struct raw_ring *raw_ring_make(int fd);
int raw_open_ring(void);

/* The ring of a connection; NULL: it has none. */
struct raw_ring *raw_ring_of(int fd);
void raw_ring_forget(int fd);

/* Begins to use a mapped file as this connection's ring. */
struct raw_ring *raw_ring_use(int fd, struct ring_page *page);

/* Puts in as much as there is room for, or takes out what is there, and wakes the daemon if it
 * sleeps. Returns how much. */
size_t raw_ring_put(int fd, const void *bytes, size_t length);
size_t raw_ring_take(int fd, void *bytes, size_t length);
void raw_ring_bell(int fd);

/* The same for all of it, asleep while there is nothing to do; false if the daemon has closed. */
bool raw_ring_send(int fd, const void *bytes, size_t length);
bool raw_ring_receive(int fd, void *bytes, size_t length);

/* Sleeps until the daemon moves `changes` from that, or has closed; fails after a while. */
void raw_ring_sleep(int fd, uint32_t changes);

/* Whether the daemon has closed the connection. */
bool raw_is_closed(int fd);

#endif
