/* Requests: from the bytes of a frame, checked, to a call of the store, to an answer. */
#ifndef MEMSTORED_REQUEST_H
#define MEMSTORED_REQUEST_H

#include "client.h"
#include "record.h"

/*
 * Handles one request and queues its answer. -EAGAIN: nothing was done; commit, and call it again.
 * -EBUSY: end the listings, and call it again. -ENOBUFS: collect garbage, and call it again.
 * -EINPROGRESS: it moves many bytes, and comes when server->large_allowed. Other negative errnos:
 * the client has to go.
 */
int request_handle(struct client *client, const struct frame *frame);

void request_answer_no_bucket(struct client *client, const struct frame_header *request,
                              uint32_t bucket);

#endif
