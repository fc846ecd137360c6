/*
 * A connection: frames in and out of a non-blocking Unix stream socket or of a ring, buffered and
 * bounded, and a few descriptors. Both sides of the protocol use it; neither blocks here.
 */
#ifndef MEMSTORE_CONNECTION_H
#define MEMSTORE_CONNECTION_H

#include "protocol.h"
#include "ring.h"

#include <stdbool.h>
#include <stddef.h>

/* Descriptors that can be under way in one direction. */
#define CONNECTION_FDS 2

struct buffer {
    uint8_t *data; /* NULL while empty: an idle connection owns no memory */
    size_t start;  /* of what is in it */
    size_t end;
    size_t capacity;
};

struct connection {
    int fd;
    struct buffer in;
    struct buffer out;
    int received_fds[CONNECTION_FDS]; /* that came and were not taken */
    size_t received;
    bool extra_fds;                  /* more came; those are closed */
    bool lost_fds;                   /* some came that this process has no room for */
    int passing_fds[CONNECTION_FDS]; /* that go with the next byte that is sent; not owned */
    size_t passing;
    struct ring ring;         /* frames go through it, if there is one */
    size_t by_socket;         /* bytes of `out` that were queued before it */
    void (*close_fd)(int fd); /* closes the socket and received descriptors; NULL: close() */
};

/* A received frame. It stands in the connection's buffer until connection_consume. */
struct frame {
    struct frame_header header; /* a copy, in host form, with a checked length */
    const uint8_t *body;
    size_t body_length;
};

/* Takes over fd, which must be non-blocking. */
void connection_init(struct connection *connection, int fd);

/* Closes the socket and a descriptor that was not taken, frees the buffers, unmaps the ring. */
void connection_finish(struct connection *connection);

/*
 * From now on frames go through the ring (which the connection owns), but for what is queued
 * already. The file is mapped and full of zeros.
 */
void connection_use_ring(struct connection *connection, void *file, bool is_daemon);

/*
 * Reads once what has arrived. Returns the bytes read, 0 if nothing has arrived or the buffer is
 * full, -ECONNRESET at the end of the stream, -EPROTO if the ring is out of order, or another
 * negative errno. With a ring the end of the socket is only seen by connection_receive_bell.
 */
int connection_receive(struct connection *connection);

/* With a ring: reads the bytes that wake us off the socket, and descriptors. Returns as above. */
int connection_receive_bell(struct connection *connection);

/*
 * Finds the next whole frame. Returns 1 and *ret_frame, 0 if more has to arrive first, or -EPROTO
 * if the length is impossible: then there is no next frame, and the connection is of no more use.
 */
int connection_next(struct connection *connection, struct frame *ret_frame);

/* Drops the frame that connection_next returned last. */
void connection_consume(struct connection *connection, const struct frame *frame);

/* Hands out the received descriptors, which must be `count` (1 to CONNECTION_FDS). -EBADF if there
 * are fewer, -E2BIG if there are more, -EMFILE if some could not be received; then all are closed.
 */
int connection_take_fds(struct connection *connection, int *ret_fds, size_t count);

/*
 * Queues a frame behind what waits to be sent: a copy of the header, whose length is set here, and
 * body_length bytes (at most BODY_MAX) of body, which the caller fills in before the next call.
 * Returns the body's place, which has no alignment, or NULL when out of memory.
 */
uint8_t *connection_queue(struct connection *connection, const struct frame_header *header,
                          size_t body_length);

/*
 * Sends what waits, as far as the socket or the ring takes it. Returns 0 if all is sent, -EAGAIN if
 * the rest must wait, or another negative errno. With a ring, descriptors go over the socket.
 */
int connection_send(struct connection *connection);

/* With a ring: wakes the other side, with a byte on the socket. Negative errno. */
int connection_ring_bell(struct connection *connection);

/* Bytes that wait to be sent, and bytes received that are not consumed. */
size_t connection_unsent(const struct connection *connection);
size_t connection_unread(const struct connection *connection);

#endif
