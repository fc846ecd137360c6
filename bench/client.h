/* A handle on a memstored, as the calls of the subjects take it. */
#ifndef BENCH_CLIENT_H
#define BENCH_CLIENT_H

#include "bench/keys.h"
#include "client/memstore.h"

struct client {
    struct memstore *store;
    struct memstore_batch *batch; /* used again and again */
};

/* Ends the run if a call of the library failed; else returns what it returned. */
int client_expect(int result, const char *call);

struct client *client_open(const char *socket, enum memstore_reads reads,
                           enum memstore_calls calls);
/* On a bucket other than the default one. */
struct client *client_open_bucket(const char *socket, const char *bucket);
void client_close(struct client *client);

void client_put(struct client *client, const struct key *key, uint32_t size);

/* Puts the objects of a batch. */
void client_put_batch(struct client *client, const struct key *key, uint32_t size);

/* Puts objects, many at a time. */
void client_fill(struct client *client, const struct objects *objects);

/* What the store says of itself. */
struct memstore_stats client_stats(struct client *client);

#endif
