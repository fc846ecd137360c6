/* memcpy alone, over as many bytes as the sets of objects have: from memory that is not in a core's
 * own cache, into a warm buffer. */
#include "bench/run.h"
#include "bench/subject.h"

#include <stdlib.h>
#include <string.h>

#define SOURCE_BYTES (64U << 20)

struct copying {
    char *source, *target;
    size_t place;
};

static void *open_memcpy(bool writes)
{
    struct copying *copying = run_allocate(sizeof(*copying));

    (void)writes;
    copying->source = memset(run_allocate(SOURCE_BYTES), 1, SOURCE_BYTES);
    copying->target = memset(run_allocate(LARGEST), 2, LARGEST);
    return copying;
}

static void close_memcpy(void *connection)
{
    struct copying *copying = connection;

    free(copying->source);
    free(copying->target);
    free(copying);
}

static void copy(void *connection, const struct key *key, uint32_t size)
{
    struct copying *copying = connection;

    (void)key;
    if (copying->place + size > SOURCE_BYTES)
        copying->place = 0;
    memcpy(copying->target, copying->source + copying->place, size);
    copying->place += size;
    subject_seen = (uint8_t)copying->target[size / 2];
}

const struct subject subject_memcpy = {
    .name = "memcpy",
    .id = "memcpy",
    .open = open_memcpy,
    .close = close_memcpy,
    .calls = {[CALL_MEMCPY] = copy},
};
