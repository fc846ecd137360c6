/*
 * memcpy alone, over as many bytes as the sets of objects have: from memory that is not in a core's
 * own cache into a warm buffer, which is a get at best; and from a value into a shared buffer and
 * from there into shared memory that has its pages, which is a put at best.
 */
#include "bench/run.h"
#include "bench/subject.h"
#include "bench/timing.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define STORE_BYTES (64U * MIB)

struct copying {
    char *source, *target; /* of reads */
    char *buffer, *store;  /* of writes */
    size_t place;          /* in the source or the store */
};

/* The pages are those of tmpfs, as the daemon's: small ones. */
static char *share_warm(uint64_t size)
{
    return memset(run_share(size), 1, size);
}

static void *open_memcpy(bool writes)
{
    struct copying *copying = run_allocate(sizeof(*copying));

    if (writes) {
        copying->buffer = share_warm(READ_MAX);
        copying->store = share_warm(STORE_BYTES);
    } else {
        copying->source = memset(run_allocate(STORE_BYTES), 1, STORE_BYTES);
        copying->target = memset(run_allocate(READ_MAX), 2, READ_MAX);
    }
    return copying;
}

static void close_memcpy(void *connection)
{
    struct copying *copying = connection;

    if (copying->buffer) {
        munmap(copying->buffer, READ_MAX);
        munmap(copying->store, STORE_BYTES);
    }
    free(copying->source);
    free(copying->target);
    free(copying);
}

/* The place of the next value; the store is a circle of them. */
static size_t next_place(struct copying *copying, uint32_t size)
{
    size_t place = copying->place + size <= STORE_BYTES ? copying->place : 0;

    copying->place = place + size;
    return place;
}

static void copy_out(void *connection, const struct key *key, uint32_t size)
{
    struct copying *copying = connection;

    (void)key;
    memcpy(copying->target, copying->source + next_place(copying, size), size);
    subject_seen = (uint8_t)copying->target[size / 2];
}

static void copy_in(void *connection, const struct key *key, uint32_t size)
{
    struct copying *copying = connection;
    char *target = copying->store + next_place(copying, size);

    (void)key;
    memcpy(copying->buffer, keys_value(), size);
    subject_seen = (uint8_t)copying->buffer[size / 2];
    memcpy(target, copying->buffer, size);
    subject_seen = (uint8_t)target[size / 2];
}

/* As copy_in, to one place again and again: the cache has all of it. */
static void copy_in_cache(void *connection, const struct key *key, uint32_t size)
{
    struct copying *copying = connection;

    copying->place = 0;
    copy_in(connection, key, size);
}

static void look(void *connection, const struct key *key, uint32_t size)
{
    (void)connection;
    (void)key;
    (void)size;
    subject_seen = (uint8_t)timing_now();
}

const struct subject subject_memcpy = {
    .name = "memcpy",
    .id = "memcpy",
    .open = open_memcpy,
    .close = close_memcpy,
    .calls = {[CALL_CLOCK] = look,
              [CALL_MEMCPY] = copy_out,
              [CALL_MEMCPYS] = copy_in,
              [CALL_MEMCPYS_CACHED] = copy_in_cache},
};
