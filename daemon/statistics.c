#include "statistics.h"

#include "events.h"
#include "server.h"

#include <errno.h>
#include <stdlib.h>

struct bucket_counts {
    struct table_entry entry; /* first; the name is empty */
    struct bucket_statistics counts;
    LIST_ENTRY(bucket_counts) all;
};

int statistics_init(struct statistics *statistics)
{
    LIST_INIT(&statistics->all);
    return table_init(&statistics->table);
}

void statistics_finish(struct statistics *statistics)
{
    struct bucket_counts *entry;

    while ((entry = LIST_FIRST(&statistics->all))) {
        LIST_REMOVE(entry, all);
        free(entry);
    }
    table_finish(&statistics->table);
}

static struct bucket_counts *find(const struct server *server, uint32_t bucket)
{
    const struct store_key key = {.bucket = bucket};

    return (struct bucket_counts *)table_find(&server->statistics.table, &key);
}

/* Without memory for it nothing is counted. */
static struct bucket_statistics *find_or_make(struct server *server, uint32_t bucket)
{
    static struct bucket_statistics nowhere;
    struct bucket_counts *entry = find(server, bucket);

    if (entry)
        return &entry->counts;
    entry = calloc(1, sizeof(*entry));
    if (!entry)
        return &nowhere;
    entry->entry.key.bucket = bucket;
    if (table_add(&server->statistics.table, &entry->entry) < 0) {
        free(entry);
        return &nowhere;
    }
    LIST_INSERT_HEAD(&server->statistics.all, entry, all);
    return &entry->counts;
}

static void forget(struct server *server, uint32_t bucket)
{
    struct bucket_counts *entry = find(server, bucket);

    if (!entry)
        return;
    table_remove(&server->statistics.table, &entry->entry);
    LIST_REMOVE(entry, all);
    free(entry);
}

void statistics_tell(struct server *server, const struct event *event)
{
    switch (event->kind) {
    case EVENT_PUT:
        find_or_make(server, event->bucket)->puts++;
        break;
    case EVENT_EXPIRE:
        find_or_make(server, event->bucket)->expired++;
        break;
    case EVENT_EVICT:
        find_or_make(server, event->bucket)->evicted++;
        break;
    case EVENT_DROPPED:
        forget(server, event->bucket);
        break;
    }
}

void statistics_note_read(struct server *server, uint32_t bucket, int result)
{
    if (result == 0 || result == -EALREADY)
        find_or_make(server, bucket)->hits++;
    else if (result == -ENOENT)
        find_or_make(server, bucket)->misses++;
}

void statistics_note_refusal(struct server *server, uint32_t bucket)
{
    find_or_make(server, bucket)->refused++;
}

/* ---- direct readers ---- */

/* A reader counts up; whatever else one writes is its own bucket's trouble. */
static uint64_t step(uint64_t now, uint64_t *last)
{
    uint64_t before = *last;

    *last = now;
    return now > before ? now - before : 0;
}

void statistics_take(struct client *client)
{
    struct bucket_statistics *counts;
    uint64_t hits, misses;

    pins_read_counts(&client->pins, &hits, &misses);
    hits = step(hits, &client->direct_hits);
    misses = step(misses, &client->direct_misses);
    if ((hits == 0 && misses == 0) || store_check_bucket(client->server->store, client->bucket) < 0)
        return;
    counts = find_or_make(client->server, client->bucket);
    counts->hits += hits;
    counts->misses += misses;
}

void statistics_take_all(struct server *server)
{
    struct client *client = TAILQ_FIRST(&server->direct.readers);

    if (server->statistics.taken == server->turn_started)
        return;
    server->statistics.taken = server->turn_started;
    for (; client; client = TAILQ_NEXT(client, direct))
        statistics_take(client);
}

struct bucket_statistics statistics_of(const struct server *server, uint32_t bucket)
{
    const struct bucket_counts *entry = find(server, bucket);

    return entry ? entry->counts : (struct bucket_statistics){0};
}
