#include "request_private.h"

#include "locks.h"
#include "server.h"
#include "waits.h"
#include "watches.h"

#include <errno.h>

int handle_wait(struct request *request)
{
    struct wait_request fixed;
    struct store_key key;
    int r;

    if (!take(&request->body, &fixed, sizeof(fixed)) ||
        !take_key(&request->body, fixed.bucket, fixed.key_length, &key) || request->body.left > 0 ||
        fixed.until < WAIT_EXISTS || fixed.until > WAIT_CHANGED ||
        (fixed.until != WAIT_CHANGED && fixed.version != 0))
        return answer_malformed(request);
    if (fixed.key_length > KEY_MAX)
        return answer_key_too_long(request, fixed.key_length);
    r = wait_start(request->client, request->header, &key, fixed.until, fixed.version);
    return r < 0 ? answer_failure(request, r, fixed.bucket) : 0;
}

int handle_watch(struct request *request)
{
    struct watch_request fixed;
    struct store_key prefix;
    int r;

    if (!take(&request->body, &fixed, sizeof(fixed)) || fixed.reserved != 0 ||
        !take_key(&request->body, fixed.bucket, fixed.prefix_length, &prefix) ||
        request->body.left > 0)
        return answer_malformed(request);
    if (fixed.prefix_length > KEY_MAX)
        return answer_key_too_long(request, fixed.prefix_length);
    r = watch_start(request->client, request->header, &prefix, fixed.from);
    return r < 0 ? answer_failure(request, r, fixed.bucket) : 0;
}

int handle_lock(struct request *request)
{
    struct lock_request fixed;
    struct lock_wish wish = {.header = request->header};
    int r;

    if (!take(&request->body, &fixed, sizeof(fixed)) || fixed.space >= LOCK_SPACES ||
        (fixed.flags & ~LOCK_NOW) ||
        !take_key(&request->body, fixed.bucket, fixed.name_length, &wish.name) ||
        request->body.left > 0)
        return answer_malformed(request);
    if (fixed.name_length > KEY_MAX)
        return ANSWER_ERROR(request, -ENAMETOOLONG, "a lock's name of %u bytes is longer than %d",
                            fixed.name_length, KEY_MAX);
    wish.space = fixed.space;
    wish.only_now = fixed.flags & LOCK_NOW;
    r = store_check_bucket(request->store, fixed.bucket);
    if (r == 0)
        r = lock_claim_start(request->client, &wish);
    if (r == -EALREADY)
        return ANSWER_ERROR(request, r, "the connection has a lock");
    if (r == -EBUSY)
        return ANSWER_ERROR(request, r, "others have the lock");
    return r < 0 ? answer_failure(request, r, fixed.bucket) : 0;
}

int handle_unlock(struct request *request)
{
    struct lock_claim *claim = request->client->claim;
    uint32_t bucket;
    int r;

    if (request->body.left > 0)
        return answer_malformed(request);
    if (!claim)
        return ANSWER_ERROR(request, -ENOLCK, "the connection has no lock");
    bucket = lock_claim_bucket(claim);
    lock_claim_end(claim);
    r = store_check_bucket(request->store, bucket);
    return r < 0 ? answer_failure(request, r, bucket) : answer_nothing(request);
}
