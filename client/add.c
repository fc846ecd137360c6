/* Adding to the number that a value is. */
#include "condition.h"
#include "handle.h"
#include "key.h"
#include "object.h"

#include <errno.h>
#include <string.h>

static int sum_from_answer(const struct answer *answer, const void *key, size_t key_length,
                           int64_t *ret_value, struct memstore_object **ret_object)
{
    struct answer rest = *answer;
    struct add_answer sum;
    int r;

    if (answer->frame.body_length < sizeof(sum))
        return -EPROTO;
    memcpy(&sum, answer->frame.body, sizeof(sum));
    rest.frame.body += sizeof(sum);
    rest.frame.body_length -= sizeof(sum);
    r = object_from_answer(&rest, key, key_length, ret_object);
    if (r == 0 && ret_value)
        *ret_value = sum.value;
    return r;
}

int memstore_add_if(struct memstore *store, const void *key, size_t key_length, int64_t delta,
                    const struct memstore_condition *condition, int64_t *ret_value,
                    struct memstore_object **ret_object)
{
    const struct add_request head = {.key_length = (uint16_t)key_length, .delta = delta};
    struct request request = {.operation = OPERATION_ADD,
                              .parts = {{&head, sizeof(head)}, {key, key_length}}};
    struct condition wanted;
    struct answer answer;
    int r = key_check(key, key_length);

    if (r == 0)
        r = condition_read(condition, &wanted);
    if (r < 0)
        return r;
    request.condition = r == 1 ? &wanted : NULL;
    r = handle_call(store, &request, &answer);
    if (r < 0)
        return r;
    if (answer.status < 0)
        r = key_fail(&answer, "add to", key, key_length);
    else
        r = sum_from_answer(&answer, key, key_length, ret_value, ret_object);
    return handle_done(store, &answer, r);
}

int memstore_add(struct memstore *store, const void *key, size_t key_length, int64_t delta,
                 int64_t *ret_value)
{
    return memstore_add_if(store, key, key_length, delta, NULL, ret_value, NULL);
}
