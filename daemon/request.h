/* Requests: from the bytes of a frame, checked, to a call of the store, to an answer. */
#ifndef MEMSTORED_REQUEST_H
#define MEMSTORED_REQUEST_H

#include "client.h"
#include "record.h"

/*
 * Handles one request and queues its answer. -EAGAIN: nothing was done; commit, and call it again.
 * -EBUSY: end the listings, and call it again. Other negative errnos: the client has to go.
 */
int request_handle(struct client *client, const struct frame *frame);

/* An object_info with the key, content type and metadata behind it. The key may be NULL. */
size_t request_info_length(const struct record *record); /* without a key */
uint8_t *request_write_info(uint8_t *place, const struct record *record, const void *key,
                            size_t key_length); /* returns the end */

void request_answer_no_bucket(struct client *client, const struct frame_header *request,
                              uint32_t bucket);

#endif
