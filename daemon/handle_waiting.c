#include "request_private.h"

#include "waits.h"
#include "watches.h"

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
