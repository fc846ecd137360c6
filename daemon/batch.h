/*
 * Batches that are all or nothing: their requests stand in the bulk buffer and are handled one by
 * one, in a transaction of their own. If one fails, so does the batch: what was changed is dropped,
 * and the answers are taken back.
 */
#ifndef MEMSTORED_BATCH_H
#define MEMSTORED_BATCH_H

#include "client.h"

/* Handles a batch of `count` requests; header is its own, with FRAME_BULK. As request_handle. */
int batch_handle(struct client *client, const struct frame_header *header, uint32_t count);

#endif
