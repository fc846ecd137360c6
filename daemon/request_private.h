/*
 * What the files that handle requests share: request.c (which operation goes where), body.c (taking
 * bodies apart), answer.c (answers), and the handlers by topic, handle_*.c.
 */
#ifndef MEMSTORED_REQUEST_PRIVATE_H
#define MEMSTORED_REQUEST_PRIVATE_H

#include "condition.h"
#include "protocol.h"
#include "request.h"
#include "store.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* The body of a request, as it is taken apart. */
struct body {
    const uint8_t *at;
    size_t left;
};

/* A request on its way to an answer. */
struct request {
    struct client *client;
    struct store *store;
    const struct frame_header *header;
    struct body body;
    struct store_condition *condition; /* NULL: none */
    bool in_batch;                     /* one of its requests */
};

/* ---- body.c ---- */

/* Copies a struct off the front. */
bool take(struct body *body, void *to, size_t size);

/* Takes bytes off the front, which stay where they are. */
bool take_bytes(struct body *body, size_t length, const void **ret_bytes);
bool take_key(struct body *body, uint32_t bucket, size_t length, struct store_key *ret_key);

/* Whether it is a lifetime, default and never included. */
bool ttl_is_sound(int64_t ttl);

/* The whole body of EXISTS, DELETE and INFO. Returns 1 if it is fine, 0 if it has been answered. */
int take_key_request(struct request *request, struct store_key *ret_key);

/* Whom something ephemeral ends with (lifetimes_own): 1, or 0 if it has been answered. */
int take_owner(struct request *request, uint32_t weight, uint32_t *ret_owner);

/* ---- answer.c: all return 0, or what request_handle would ---- */

#define ANSWER_ERROR(request, ...) \
    (client_answer_error((request)->client, (request)->header, __VA_ARGS__), 0)

int answer_nothing(struct request *request);
int answer_info(struct request *request, const struct record *record);
int answer_malformed(struct request *request);
int answer_unreadable(struct request *request);
int answer_no_lifetime(struct request *request, int64_t ttl);
int answer_key_too_long(struct request *request, size_t length);

/* What the store says, in words for people. */
int answer_failure(struct request *request, int error, uint32_t bucket);

/* Appends to an answer's body. */
static inline uint8_t *append(uint8_t *place, const void *data, size_t length)
{
    if (length > 0)
        memcpy(place, data, length);
    return place + length;
}

/* ---- handlers: as request_handle ---- */

/* handle_session.c */
int handle_hello(struct request *request);
int handle_attach(struct request *request);
int handle_ring(struct request *request);
int handle_direct(struct request *request);

/* handle_put.c */
int handle_put(struct request *request);

/* handle_get.c */
int handle_get(struct request *request);

/* The room that the client offers for an answer: 1, or 0 if it has been answered. */
int take_room(struct request *request, uint8_t **ret_room);

/* handle_object.c */
int handle_exists(struct request *request);
int handle_info(struct request *request);
int handle_delete(struct request *request);
int handle_list(struct request *request);
int handle_copy(struct request *request);
int handle_move(struct request *request);
int handle_touch(struct request *request);
int handle_batch(struct request *request);

/* handle_add.c */
int handle_add(struct request *request);

/* handle_bucket.c */
int handle_bucket_create(struct request *request);
int handle_bucket_drop(struct request *request);
int handle_bucket_list(struct request *request);
int handle_bucket_keep(struct request *request);
int handle_bucket_info(struct request *request);
int handle_bucket_set(struct request *request);

/* Whether a bucket can have that name: 1, or 0 if it has been answered. */
int check_bucket_name(struct request *request, const struct store_bucket_name *name);

/* The rest of the body, which is such a name: the same. */
int take_bucket_name(struct request *request, size_t length, struct store_bucket_name *ret_name);

/* As answer_failure, for what is done to the bucket itself. */
int answer_bucket_failure(struct request *request, int error, const struct store_bucket_name *name);

/* handle_status.c */
int handle_stats(struct request *request);
int handle_holders(struct request *request);

/* handle_waiting.c */
int handle_wait(struct request *request);
int handle_watch(struct request *request);
int handle_lock(struct request *request);
int handle_unlock(struct request *request);

#endif
