/*
 * A raw client of the protocol, for tests that send what no library would, and their fixture.
 *
 * raw_setup starts a daemon, a witness (a client that behaves well) and stores two canaries.
 * raw_teardown looks at what the test must not have changed: the witness gets right answers, the
 * canaries are intact, and the daemon has given back what the test's connections cost it.
 */
#ifndef MEMSTORE_RAW_H
#define MEMSTORE_RAW_H

#include "common/protocol.h"
#include "tests/harness.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define CANARY_SIZE 1000000 /* of the object "canary"; "small canary" is "tweet" */

struct answer {
    struct frame_header header;
    uint8_t body[BODY_MAX];
    size_t length; /* of the body */
};

/* A body that is being made; it can be larger than a frame takes. */
struct body {
    uint8_t bytes[FRAME_MAX + 16];
    size_t length;
};

extern struct harness_daemon *raw_server;
extern struct memstore *raw_witness;
extern char *raw_canary;         /* the bytes of the large one */
extern int raw_descriptors;      /* that the daemon had before the test */
extern uint32_t raw_bucket;      /* as HELLO told */
extern struct answer raw_answer; /* the last one received */

void raw_setup(void);
void raw_setup_impatient(void); /* with a daemon that waits for nobody longer than a second */
void raw_teardown(void);
void raw_expect_witness(void);
void raw_expect_memory_bounded(void);
int raw_daemon_descriptors(void);

/* Connects; whatever the test does, no read waits for ever. raw_open says HELLO as well, and makes
 * a ring if $MEMSTORE_CALLS is "ring" (raw_ring.h). */
int raw_connect(void);
int raw_open(void);

/* Sends all of it; false if the other side has closed. */
bool raw_send(int fd, const void *bytes, size_t length);
bool raw_send_frame(int fd, const struct frame_header *header, const struct body *body);
/* Sends it in one piece with descriptors. */
bool raw_send_fds(int fd, const void *bytes, size_t length, const int *fds, size_t count);

/* Receives a frame into raw_answer, which must have the form of one; false if the stream ends. */
bool raw_receive(int fd);
/* Whether some of an answer is there, or the end. */
bool raw_has_answer(int fd);
/* Receives the answer to that request and compares its status. */
void raw_expect_answer(int fd, const struct frame_header *request, int status);
/* Reads up to the end of the stream, which must come, and closes. */
void raw_expect_closed(int fd);

/* The header of a request with a body of that length, and an id of its own. */
struct frame_header raw_header(uint16_t operation, size_t body_length);
/* A request and its answer. body may be NULL. */
void raw_call(int fd, uint16_t operation, const struct body *body, int status);
void raw_call_bulk(int fd, uint16_t operation, const struct body *body, uint64_t offset,
                   uint32_t length, int status);
void raw_attach_fds(int fd, const int *fds, size_t count, int status);

/* The connection is as good as before: framing was not lost. raw_done closes it then. */
void raw_expect_alive(int fd);
void raw_done(int fd);

/* A memfd, and one that is a good bulk buffer. */
int raw_memfd(unsigned flags, off_t size, int seals);
int raw_buffer(off_t size);
/* Attaches a good buffer; its map is the caller's to unmap. */
uint8_t *raw_attach(int fd, size_t size);

void body_add(struct body *body, const void *bytes, size_t length);
void body_add_filler(struct body *body, size_t length);

/* Good bodies; keys are texts here. */
struct body body_hello(uint16_t oldest, uint16_t newest, const char *name);
struct body body_key(const char *key);
struct body body_put(const char *key, const void *metadata, size_t metadata_length,
                     size_t value_length);
struct body body_get(const char *key, uint64_t offset, uint64_t length);
struct body body_list(const char *prefix);
struct body body_touch(const char *key, int64_t ttl);
struct body body_pair(const char *source, const char *target);
/* A metadata block of entries "NAME=VALUE"; NULL ends them. */
struct body body_metadata(const char *const *entries);

#endif
