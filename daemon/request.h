/* Requests: from the bytes of a frame, checked, to a call of the store, to an answer. */
#ifndef MEMSTORED_REQUEST_H
#define MEMSTORED_REQUEST_H

#include "client.h"
#include "record.h"

#include <stdbool.h>
#include <stdint.h>

struct store_condition;

/*
 * Handles one request and queues its answer. -EAGAIN: nothing was done; commit, and call it again.
 * -EBUSY: end the listings, and call it again. -ENOBUFS: collect garbage, and call it again.
 * -EINPROGRESS: it moves many bytes, and comes when server->large_allowed; or there is no room for
 * it yet, and it comes again in the next turn. Other negative errnos: the client has to go.
 */
int request_handle(struct client *client, const struct frame *frame);

/* The same for one of a batch's requests: those that a batch can have, at once, whatever it moves.
 */
int request_handle_in_batch(struct client *client, const struct frame *frame);

/* Whether a request that moves many bytes has to wait for its time: -EINPROGRESS, as above. */
bool request_must_wait(struct client *client);

/* Answers with the object's info. */
void request_answer_info(struct client *client, const struct frame_header *request,
                         const struct record *record);

/* Says what went wrong in the store, in words for people. Returns 0, or, where there is something
 * to do before the same is tried again, what request_handle would. */
int request_answer_failure(struct client *client, const struct frame_header *request, int error,
                           uint32_t bucket);

/* Says that the condition failed, and what is there instead. */
void request_answer_conflict(struct client *client, const struct frame_header *request,
                             const struct store_condition *condition, int error);

void request_answer_no_bucket(struct client *client, const struct frame_header *request,
                              uint32_t bucket);

#endif
