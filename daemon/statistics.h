/*
 * Statistics: what happened in each bucket since the daemon's start. They are in memory only; of
 * buckets in which nothing has happened there is nothing.
 */
#ifndef MEMSTORED_STATISTICS_H
#define MEMSTORED_STATISTICS_H

#include "table.h"

#include <stdint.h>
#include <sys/queue.h>

struct client;
struct event;
struct server;

struct bucket_statistics {
    uint64_t puts;
    uint64_t hits;
    uint64_t misses;
    uint64_t evicted;
    uint64_t expired;
    uint64_t refused;
};

struct bucket_counts;
LIST_HEAD(bucket_counts_list, bucket_counts);

struct statistics {
    struct table table; /* by bucket */
    struct bucket_counts_list all;
    uint64_t taken; /* the turn in which all readers were asked last */
};

/* Negative errno. */
int statistics_init(struct statistics *statistics);
void statistics_finish(struct statistics *statistics);

/* Something has been committed. With its bucket the statistics go. */
void statistics_tell(struct server *server, const struct event *event);

/* The daemon looked an object up, with that result; a put was refused by its bucket. */
void statistics_note_read(struct server *server, uint32_t bucket, int result);
void statistics_note_refusal(struct server *server, uint32_t bucket);

/* Takes in what direct readers have counted, once in a turn; what one has who is about to leave. */
void statistics_take_all(struct server *server);
void statistics_take(struct client *client);

/* All 0 if nothing has happened. */
struct bucket_statistics statistics_of(const struct server *server, uint32_t bucket);

#endif
