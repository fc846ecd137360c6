#include "key.h"

#include "handle.h"
#include "message.h"
#include "object.h"

#include <errno.h>

int key_fail(const struct answer *answer, const char *verb, const void *key, size_t key_length)
{
    char text[QUOTED_SIZE];

    quote(text, key, key_length);
    if (answer->status == -ENOENT)
        return message_fail(answer->status, "no object %s", text);
    return answer_fail(answer, "cannot %s %s", verb, text);
}

static int key_call(struct memstore *store, enum operation operation, const void *key,
                    size_t key_length, struct answer *ret_answer)
{
    const struct key_request head = {.key_length = (uint16_t)key_length};
    struct request request = {.operation = operation,
                              .parts = {{&head, sizeof(head)}, {key, key_length}}};
    int r = key_check(key, key_length);

    return r < 0 ? r : handle_call(store, &request, ret_answer);
}

int memstore_info(struct memstore *store, const void *key, size_t key_length,
                  struct memstore_object **ret_object)
{
    struct answer answer;
    int r = key_call(store, OPERATION_INFO, key, key_length, &answer);

    if (r < 0)
        return r;
    if (answer.status < 0)
        r = key_fail(&answer, "look up", key, key_length);
    else
        r = object_from_answer(&answer, key, key_length, ret_object);
    return handle_done(store, &answer, r);
}

int memstore_exists(struct memstore *store, const void *key, size_t key_length)
{
    struct answer answer;
    int r = key_call(store, OPERATION_EXISTS, key, key_length, &answer);

    if (r < 0)
        return r;
    if (answer.status == -ENOENT)
        r = 0;
    else if (answer.status < 0)
        r = key_fail(&answer, "look up", key, key_length);
    else
        r = answer.frame.body_length == 0 ? 1 : -EPROTO;
    return handle_done(store, &answer, r);
}

int memstore_delete(struct memstore *store, const void *key, size_t key_length)
{
    struct answer answer;
    int r = key_call(store, OPERATION_DELETE, key, key_length, &answer);

    if (r < 0)
        return r;
    if (answer.status < 0)
        r = key_fail(&answer, "delete", key, key_length);
    else
        r = answer.frame.body_length == 0 ? 0 : -EPROTO;
    return handle_done(store, &answer, r);
}
