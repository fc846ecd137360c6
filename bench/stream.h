/* A connection to a server of another kind, over its Unix socket: as little in the way as can be.
 */
#ifndef BENCH_STREAM_H
#define BENCH_STREAM_H

#include <stddef.h>
#include <sys/uio.h>

struct stream {
    int fd;
    char *buffer;  /* the answer so far */
    size_t length; /* of it */
};

struct stream *stream_open(const char *socket);
void stream_close(struct stream *stream);

struct iovec stream_part(const void *data, size_t length);

/* Sends all parts, which it may change, and forgets the answer before. */
void stream_send(struct stream *stream, struct iovec *parts, int count);

/* Sends a text. */
void stream_send_text(struct stream *stream, const char *text, size_t length);

/* Receives until the answer has a whole first line; returns its length with the line's end. */
size_t stream_line(struct stream *stream);

/* Receives until the answer has that many bytes. */
void stream_receive(struct stream *stream, size_t length);

/* Receives an answer that must be this one. */
void stream_expect(struct stream *stream, const char *answer);

#endif
