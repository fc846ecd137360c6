#include "request_private.h"

#include "entry.h"

#include <errno.h>

static int answer_sum(struct request *request, int64_t value, const struct record *record)
{
    const struct add_answer sum = {.value = value};
    uint8_t *body = client_answer(request->client, request->header, NULL,
                                  sizeof(sum) + entry_length(record, 0));

    if (body)
        entry_write(append(body, &sum, sizeof(sum)), record, NULL, 0);
    return 0;
}

int handle_add(struct request *request)
{
    struct add_request fixed;
    struct store_key key;
    struct record record;
    int64_t value;
    int r;

    if (!take(&request->body, &fixed, sizeof(fixed)) || fixed.reserved != 0 ||
        !take_key(&request->body, fixed.bucket, fixed.key_length, &key) || request->body.left > 0)
        return answer_malformed(request);
    if (fixed.key_length > KEY_MAX)
        return answer_key_too_long(request, fixed.key_length);
    r = store_add(request->store, &key, fixed.delta, request->condition, &value, &record);
    if (r == -EINVAL)
        return ANSWER_ERROR(request, r, "the value is not a number");
    if (r == -EOVERFLOW)
        return ANSWER_ERROR(request, r, "the sum would not be a number of 64 bits");
    return r < 0 ? answer_failure(request, r, fixed.bucket) : answer_sum(request, value, &record);
}
