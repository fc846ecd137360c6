#include "request_private.h"

#include "batch.h"
#include "listing.h"
#include "server.h"

#include <errno.h>

int handle_exists(struct request *request)
{
    struct store_key key;
    struct record record;
    int r = take_key_request(request, &key);

    if (r != 1)
        return r;
    r = store_get(request->store, &key, &record, NULL);
    statistics_note_read(request->client->server, key.bucket, r);
    return r < 0 ? answer_failure(request, r, key.bucket) : answer_nothing(request);
}

int handle_info(struct request *request)
{
    struct store_key key;
    struct record record;
    int r = take_key_request(request, &key);

    if (r != 1)
        return r;
    r = store_get(request->store, &key, &record, NULL);
    statistics_note_read(request->client->server, key.bucket, r);
    if (r == 0 && request->condition)
        r = condition_decide(request->condition, &record);
    return r < 0 ? answer_failure(request, r, key.bucket) : answer_info(request, &record);
}

int handle_delete(struct request *request)
{
    struct store_key key;
    int r = take_key_request(request, &key);

    if (r != 1)
        return r;
    r = store_delete(request->store, &key, request->condition);
    return r < 0 ? answer_failure(request, r, key.bucket) : answer_nothing(request);
}

int handle_list(struct request *request)
{
    struct list_request fixed;
    struct store_key prefix, after;
    size_t after_length;
    uint8_t *room;
    int r;

    if (!take(&request->body, &fixed, sizeof(fixed)))
        return answer_malformed(request);
    after_length = fixed.after_length == NO_AFTER ? 0 : fixed.after_length;
    if (!take_key(&request->body, fixed.bucket, fixed.prefix_length, &prefix) ||
        !take_key(&request->body, fixed.bucket, after_length, &after) || request->body.left > 0)
        return answer_malformed(request);
    if (prefix.length > KEY_MAX || after.length > KEY_MAX)
        return answer_key_too_long(request, prefix.length > KEY_MAX ? prefix.length : after.length);
    r = take_room(request, &room);
    if (r != 1)
        return r;
    r = listing_start(request->client, &(struct listing_request){
                                           .header = request->header,
                                           .prefix = prefix,
                                           .after = fixed.after_length == NO_AFTER ? NULL : &after,
                                           .limit = fixed.limit,
                                           .room = room});
    return r < 0 ? answer_failure(request, r, fixed.bucket) : 0;
}

/* The rest of the body of COPY and MOVE: 1, or 0 if it has been answered. */
static int take_target_bucket(struct request *request, size_t length, uint32_t *bucket)
{
    struct store_bucket_name name;
    int r;

    if (length == 0)
        return request->body.left > 0 ? answer_malformed(request) : 1;
    r = take_bucket_name(request, length, &name);
    if (r != 1)
        return r;
    r = store_bucket_find(request->store, &name, bucket);
    if (r == -ENOENT)
        return ANSWER_ERROR(request, -ENXIO, "there is no bucket '%.*s'", (int)length, name.text);
    return r < 0 ? answer_failure(request, r, 0) : 1;
}

static int handle_pair(struct request *request,
                       int (*change)(struct store *, const struct store_key *,
                                     const struct store_key *, struct store_condition *,
                                     struct record *))
{
    struct pair_request fixed;
    struct store_key source, target;
    struct record record;
    int r;

    if (!take(&request->body, &fixed, sizeof(fixed)) || fixed.reserved != 0 ||
        !take_key(&request->body, fixed.bucket, fixed.source_length, &source) ||
        !take_key(&request->body, fixed.bucket, fixed.target_length, &target))
        return answer_malformed(request);
    r = take_target_bucket(request, fixed.name_length, &target.bucket);
    if (r != 1)
        return r;
    if (source.length > KEY_MAX || target.length > KEY_MAX)
        return answer_key_too_long(request,
                                   source.length > KEY_MAX ? source.length : target.length);
    r = change(request->store, &source, &target, request->condition, &record);
    if (r == 0)
        store_use(request->store, &source);
    return r < 0 ? answer_failure(request, r, fixed.bucket) : answer_info(request, &record);
}

int handle_copy(struct request *request)
{
    return handle_pair(request, store_copy);
}

int handle_move(struct request *request)
{
    return handle_pair(request, store_move);
}

int handle_touch(struct request *request)
{
    struct touch_request fixed;
    struct store_key key;
    struct record record;
    int r;

    if (!take(&request->body, &fixed, sizeof(fixed)) || fixed.reserved != 0 ||
        !take_key(&request->body, fixed.bucket, fixed.key_length, &key) || request->body.left > 0)
        return answer_malformed(request);
    if (fixed.key_length > KEY_MAX)
        return answer_key_too_long(request, fixed.key_length);
    if (!ttl_is_sound(fixed.ttl))
        return answer_no_lifetime(request, fixed.ttl);
    r = store_touch(request->store, &key, fixed.ttl, request->condition, &record);
    if (r == 0)
        store_use(request->store, &key);
    return r < 0 ? answer_failure(request, r, key.bucket) : answer_info(request, &record);
}

int handle_batch(struct request *request)
{
    struct batch_request fixed;

    if (!take(&request->body, &fixed, sizeof(fixed)) || fixed.reserved != 0 || fixed.count == 0 ||
        request->body.left > 0)
        return answer_malformed(request);
    if (!(request->header->flags & FRAME_BULK))
        return ANSWER_ERROR(request, -EPROTO, "the requests of a batch stand in the bulk buffer");
    if (fixed.count > BATCH_COUNT_MAX || request->header->bulk_length > BATCH_BYTES_MAX)
        return ANSWER_ERROR(request, -E2BIG, "a batch has at most %d requests and %u bytes",
                            BATCH_COUNT_MAX, BATCH_BYTES_MAX);
    return batch_handle(request->client, request->header, fixed.count);
}
