#include "handle.h"
#include "key.h"
#include "object.h"
#include "put_head.h"

#include <errno.h>

static int put_send(struct memstore *store, const struct put_head *head, const void *key,
                    size_t key_length, const struct part *value,
                    struct memstore_object **ret_object)
{
    struct request request = {.operation = OPERATION_PUT,
                              .condition = put_head_condition(head),
                              .parts = {{head->bytes, head->length}},
                              .value = *value,
                              .is_owned = head->is_ephemeral};
    struct answer answer;
    int r = handle_call(store, &request, &answer);

    if (r < 0)
        return r;
    if (answer.status < 0)
        r = key_fail(&answer, "put", key, key_length);
    else
        r = object_from_answer(&answer, key, key_length, ret_object);
    return handle_done(store, &answer, r);
}

int memstore_put(struct memstore *store, const void *key, size_t key_length, const void *value,
                 size_t value_size, const struct memstore_put_options *options,
                 struct memstore_object **ret_object)
{
    const struct part part = {value, value_size};
    struct put_head head = {0};
    int r = value_check(value, value_size);

    if (r == 0)
        r = put_head_init(&head, key, key_length, options);
    if (r < 0)
        return r;
    r = put_send(store, &head, key, key_length, &part, ret_object);
    put_head_finish(&head);
    return r;
}
