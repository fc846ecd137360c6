/*
 * When objects were used last: the file of marks (marks.h), as the daemon keeps it. It is made with
 * the first bucket that evicts, so that a store without one has no memory in it.
 */
#include "store_private.h"

#include "guard.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The marks have at most this part of max memory. */
#define PART 64

/* Bytes for the marks: a power of two. */
static off_t marks_size(const struct store *store)
{
    uint64_t size = MARKS_SIZE_MAX;

    while (size > MARKS_SIZE_MIN && size > store->limits.max_memory / PART)
        size /= 2;
    return (off_t)size;
}

/* Gives the file its size, unless it has that, and its memory: a page that is missing would be a
 * SIGBUS for whoever writes there. */
static int marks_fill(const struct store *store, int fd)
{
    struct stat file;
    off_t size = marks_size(store);

    if (fstat(fd, &file) < 0)
        return -errno;
    if (file.st_size != size && (ftruncate(fd, 0) < 0 || ftruncate(fd, size) < 0))
        return -errno;
    return fallocate(fd, 0, 0, size) < 0 ? -errno : 0;
}

static int marks_make(struct store *store)
{
    struct uses *uses = &store->uses;
    int r = marks_fill(store, uses->fd);

    if (r == 0)
        r = marks_map(&uses->marks, uses->fd);
    if (r == 0)
        uses->marks.count = (uint64_t)marks_size(store) / sizeof(uint64_t);
    return r;
}

int uses_start(struct store *store)
{
    struct uses *uses = &store->uses;
    char path[PATH_MAX];
    struct stat file;

    if (snprintf(path, sizeof(path), "%s/" MARKS_NAME, store->folder) >= (int)sizeof(path))
        return -ENAMETOOLONG;
    uses->fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (uses->fd < 0 || fstat(uses->fd, &file) < 0)
        return -errno;
    if (file.st_size > 0)
        uses_begin(store);
    return 0;
}

void uses_begin(struct store *store)
{
    if (!store->uses.marks.all)
        marks_make(store);
}

void uses_stop(struct store *store)
{
    marks_unmap(&store->uses.marks);
    if (store->uses.fd >= 0)
        close(store->uses.fd);
    store->uses.fd = -1;
}

/* Who may write to the file can also cut it. */
static void marks_mend(struct store *store)
{
    if (marks_fill(store, store->uses.fd) < 0)
        marks_unmap(&store->uses.marks);
}

/* Now: a use of an object after what has happened so far. */
static uint64_t now(const struct store *store)
{
    return MARK(store->totals.version, UINT16_MAX);
}

struct reading {
    struct use *uses;
    size_t count;
    uint64_t now;
};

static int read_marks(void *context)
{
    const struct reading *reading = context;

    for (size_t i = 0; i < reading->count; i++) {
        struct use *use = &reading->uses[i];
        uint64_t mark = atomic_load_explicit(use->mark, memory_order_relaxed);

        if (mark > use->time && mark <= reading->now)
            use->time = mark;
    }
    return 0;
}

void use_init(const struct store *store, const MDB_val *row, const struct record *record,
              struct use *use)
{
    const struct marks *marks = &store->uses.marks;
    const uint8_t *key = row->mv_data;
    uint32_t bucket;

    use->time = MARK(record->version, 0);
    if (!marks->all)
        return;
    memcpy(&bucket, key, sizeof(bucket));
    bucket = ROW_BUCKET(0) ^ __builtin_bswap32(bucket);
    use->mark = marks_find(marks, bucket, key + sizeof(bucket), row->mv_size - sizeof(bucket));
    __builtin_prefetch(use->mark); /* they lie anywhere in the file, and are read soon */
}

void uses_read(struct store *store, struct use *uses, size_t count)
{
    struct reading reading = {.uses = uses, .count = count, .now = now(store)};

    if (store->uses.marks.all && guard_call(read_marks, &reading) < 0)
        marks_mend(store);
}

static int write_mark(void *context)
{
    const struct use *use = context;

    atomic_store_explicit(use->mark, use->time, memory_order_relaxed);
    return 0;
}

void store_use(struct store *store, const struct store_key *key)
{
    struct uses *uses = &store->uses;
    struct use use;

    if (!uses->marks.all || store_open_bucket(store, key->bucket) < 0 ||
        store->bucket->row.settings.policy != POLICY_LRU)
        return;
    if (uses->version != store->totals.version)
        uses->count = 0;
    uses->version = store->totals.version;
    use.time = MARK(uses->version, uses->count < UINT16_MAX ? ++uses->count : UINT16_MAX);
    use.mark = marks_find(&uses->marks, key->bucket, key->data, key->length);
    if (guard_call(write_mark, &use) < 0)
        marks_mend(store);
}

uint64_t store_version(const struct store *store)
{
    return store->totals.version;
}

uint64_t store_marks(const struct store *store)
{
    return store->uses.marks.count;
}
