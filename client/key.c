#include "key.h"

#include "condition.h"
#include "direct.h"
#include "handle.h"
#include "message.h"
#include "object.h"

#include <errno.h>

int key_fail(const struct answer *answer, const char *verb, const void *key, size_t key_length)
{
    char text[QUOTED_SIZE];

    if (answer->status == -ENOENT)
        return key_missing(key, key_length);
    return answer_fail(answer, "cannot %s %s", verb, quote(text, key, key_length));
}

int key_missing(const void *key, size_t key_length)
{
    char text[QUOTED_SIZE];

    return message_fail(-ENOENT, "no object %s", quote(text, key, key_length));
}

int key_unchanged(const void *key, size_t key_length, uint64_t version)
{
    char text[QUOTED_SIZE];

    conflict_note(version);
    return message_fail(-EALREADY, "cannot get %s: the object still has version %llu",
                        quote(text, key, key_length), (unsigned long long)version);
}

int look_up_directly(struct memstore *store, const void *key, size_t key_length,
                     struct memstore_object **ret_object)
{
    struct direct_read *read;
    struct record record;
    int r = direct_begin(store, &read);

    if (r < 0)
        return r;
    r = direct_find(read, key, key_length, &record);
    if (r == 0 && ret_object)
        r = object_from_record(&record, key, key_length, NULL, ret_object);
    direct_end(store, read);
    return r;
}

/* The key has been checked. */
static int key_call(struct memstore *store, enum operation operation,
                    const struct condition *condition, const void *key, size_t key_length,
                    struct answer *ret_answer)
{
    const struct key_request head = {.key_length = (uint16_t)key_length};
    struct request request = {.operation = operation,
                              .condition = condition,
                              .parts = {{&head, sizeof(head)}, {key, key_length}}};

    return handle_call(store, &request, ret_answer);
}

int memstore_info(struct memstore *store, const void *key, size_t key_length,
                  struct memstore_object **ret_object)
{
    struct answer answer;
    int r = key_check(key, key_length);

    if (r < 0)
        return r;
    r = look_up_directly(store, key, key_length, ret_object);
    if (r == -ENOENT)
        return key_missing(key, key_length);
    if (direct_is_final(r))
        return r;
    r = key_call(store, OPERATION_INFO, NULL, key, key_length, &answer);
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
    int r = key_check(key, key_length);

    if (r < 0)
        return r;
    r = look_up_directly(store, key, key_length, NULL);
    if (direct_is_final(r))
        return r == -ENOENT ? 0 : r < 0 ? r : 1;
    r = key_call(store, OPERATION_EXISTS, NULL, key, key_length, &answer);
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

int memstore_delete_if(struct memstore *store, const void *key, size_t key_length,
                       const struct memstore_condition *condition)
{
    struct condition wanted;
    struct answer answer;
    int r = key_check(key, key_length);

    if (r == 0)
        r = condition_read(condition, &wanted);
    if (r < 0)
        return r;
    r = key_call(store, OPERATION_DELETE, r == 1 ? &wanted : NULL, key, key_length, &answer);
    if (r < 0)
        return r;
    if (answer.status < 0)
        r = key_fail(&answer, "delete", key, key_length);
    else
        r = answer.frame.body_length == 0 ? 0 : -EPROTO;
    return handle_done(store, &answer, r);
}

int memstore_delete(struct memstore *store, const void *key, size_t key_length)
{
    return memstore_delete_if(store, key, key_length, NULL);
}
