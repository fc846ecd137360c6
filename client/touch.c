#include "condition.h"
#include "handle.h"
#include "key.h"
#include "object.h"
#include "put_head.h"

#include <errno.h>

int memstore_touch(struct memstore *store, const void *key, size_t key_length, int64_t ttl_ms,
                   const struct memstore_condition *condition, struct memstore_object **ret_object)
{
    const struct touch_request head = {.key_length = (uint16_t)key_length, .ttl = ttl_ms};
    struct request request = {.operation = OPERATION_TOUCH,
                              .parts = {{&head, sizeof(head)}, {key, key_length}}};
    struct condition wanted;
    struct answer answer;
    int r = key_check(key, key_length);

    if (r == 0)
        r = ttl_check(ttl_ms);
    if (r == 0)
        r = condition_read(condition, &wanted);
    if (r < 0)
        return r;
    request.condition = r == 1 ? &wanted : NULL;
    r = handle_call(store, &request, &answer);
    if (r < 0)
        return r;
    if (answer.status < 0)
        r = key_fail(&answer, "touch", key, key_length);
    else
        r = object_from_answer(&answer, key, key_length, ret_object);
    return handle_done(store, &answer, r);
}
