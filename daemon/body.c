#include "request_private.h"

#include "server.h"

#include <errno.h>
#include <string.h>

bool take(struct body *body, void *to, size_t size)
{
    if (body->left < size)
        return false;
    memcpy(to, body->at, size);
    body->at += size;
    body->left -= size;
    return true;
}

bool take_bytes(struct body *body, size_t length, const void **ret_bytes)
{
    if (body->left < length)
        return false;
    *ret_bytes = body->at;
    body->at += length;
    body->left -= length;
    return true;
}

bool take_key(struct body *body, uint32_t bucket, size_t length, struct store_key *ret_key)
{
    *ret_key = (struct store_key){.bucket = bucket, .length = length};
    return take_bytes(body, length, &ret_key->data);
}

bool ttl_is_sound(int64_t ttl)
{
    return ttl >= TTL_NEVER && ttl <= TTL_MAX;
}

int take_key_request(struct request *request, struct store_key *ret_key)
{
    struct key_request fixed;

    if (!take(&request->body, &fixed, sizeof(fixed)) || fixed.reserved != 0 ||
        !take_key(&request->body, fixed.bucket, fixed.key_length, ret_key) ||
        request->body.left > 0)
        return answer_malformed(request);
    if (fixed.key_length > KEY_MAX)
        return answer_key_too_long(request, fixed.key_length);
    return 1;
}

int take_owner(struct request *request, uint32_t weight, uint32_t *ret_owner)
{
    int r;

    if (request->in_batch)
        return ANSWER_ERROR(request, -EINVAL, "what is ephemeral cannot be made in a batch");
    r = lifetimes_own(request->client, weight, ret_owner);
    if (r == -EDQUOT)
        return ANSWER_ERROR(
            request, r, "a connection has at most %d ephemeral objects, and a bucket counts as %d",
            EPHEMERAL_MAX, EPHEMERAL_BUCKET);
    return r < 0 ? answer_failure(request, r, 0) : 1;
}
