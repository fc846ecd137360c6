/*
 * Which bucket a handle is on: its name, and from the first connection on its id in that store.
 * When it is dropped, another one may come under the same name; a handle does not change over to
 * that. To a daemon that started afresh it does: there all buckets are others.
 */
#ifndef MEMSTORE_IDENTITY_H
#define MEMSTORE_IDENTITY_H

#include "common/protocol.h"
#include "common/record.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

struct identity {
    char name[BUCKET_NAME_MAX + 1];
    pthread_mutex_t mutex; /* for what follows: each connection is some thread's */
    bool is_known;
    uint32_t bucket;
    uint8_t store_id[STORE_ID_BYTES];
};

/* The name has been checked. */
void identity_init(struct identity *identity, const char *name);

/* A copy for one who may outlive the handle. */
void identity_copy(struct identity *copy, struct identity *identity);

/* In a forked child: no other thread is at it. */
void identity_adopt(struct identity *identity);

/* A connection has found the name. -ENXIO: that is another bucket; the message is set. */
int identity_settle(struct identity *identity, uint32_t bucket,
                    const uint8_t store_id[STORE_ID_BYTES]);

/* A connection has not found the name. The message is set: -ENXIO: it was there before; -ENOENT. */
int identity_missing(struct identity *identity, const char *socket);

/* -ENXIO, and the message. */
int identity_dropped(const char *name);

#endif
