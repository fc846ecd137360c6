/* Calls on a pair of keys: copy and move. */
#include "condition.h"
#include "handle.h"
#include "message.h"
#include "object.h"

#include <errno.h>

struct key {
    const void *bytes;
    size_t length;
};

static int pair_fail(const struct answer *answer, const char *verb, const struct key *source,
                     const struct key *target)
{
    char source_text[QUOTED_SIZE];
    char target_text[QUOTED_SIZE];

    quote(source_text, source->bytes, source->length);
    quote(target_text, target->bytes, target->length);
    if (answer->status == -ENOENT)
        return message_fail(answer->status, "no object %s",
                            answer->is_conflict ? target_text : source_text);
    return answer_fail(answer, "cannot %s %s to %s", verb, source_text, target_text);
}

static int pair_call(struct memstore *store, enum operation operation, const struct key *source,
                     const struct key *target, const struct memstore_pair_options *options,
                     struct memstore_object **ret_object)
{
    const char *verb = operation == OPERATION_COPY ? "copy" : "move";
    const struct pair_request pair = {.source_length = (uint16_t)source->length,
                                      .target_length = (uint16_t)target->length};
    struct request request = {.operation = operation,
                              .parts = {{&pair, sizeof(pair)},
                                        {source->bytes, source->length},
                                        {target->bytes, target->length}}};
    struct memstore_pair_options ours;
    struct condition condition;
    struct answer answer;
    int r = key_check(source->bytes, source->length);

    if (r == 0)
        r = key_check(target->bytes, target->length);
    if (r == 0)
        r = options_read(&ours, sizeof(ours), options);
    if (r == 0)
        r = condition_read(ours.condition, &condition);
    if (r < 0)
        return r;
    request.condition = r == 1 ? &condition : NULL;
    r = handle_call(store, &request, &answer);
    if (r < 0)
        return r;
    if (answer.status < 0)
        r = pair_fail(&answer, verb, source, target);
    else
        r = object_from_answer(&answer, target->bytes, target->length, ret_object);
    return handle_done(store, &answer, r);
}

int memstore_copy_to(struct memstore *store, const void *source, size_t source_length,
                     const void *target, size_t target_length,
                     const struct memstore_pair_options *options,
                     struct memstore_object **ret_object)
{
    return pair_call(store, OPERATION_COPY, &(struct key){source, source_length},
                     &(struct key){target, target_length}, options, ret_object);
}

int memstore_move_to(struct memstore *store, const void *source, size_t source_length,
                     const void *target, size_t target_length,
                     const struct memstore_pair_options *options,
                     struct memstore_object **ret_object)
{
    return pair_call(store, OPERATION_MOVE, &(struct key){source, source_length},
                     &(struct key){target, target_length}, options, ret_object);
}

int memstore_copy(struct memstore *store, const void *source, size_t source_length,
                  const void *target, size_t target_length, struct memstore_object **ret_object)
{
    return memstore_copy_to(store, source, source_length, target, target_length, NULL, ret_object);
}

int memstore_move(struct memstore *store, const void *source, size_t source_length,
                  const void *target, size_t target_length, struct memstore_object **ret_object)
{
    return memstore_move_to(store, source, source_length, target, target_length, NULL, ret_object);
}
