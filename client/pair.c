/* Calls on a pair of keys: copy and move. */
#include "condition.h"
#include "handle.h"
#include "message.h"
#include "object.h"

#include <errno.h>
#include <string.h>

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

/* A bucket is missing, the handle's or the target's: says which. */
static int pair_lost(struct memstore *store, const char *bucket)
{
    struct memstore_bucket_info info;

    if (memstore_bucket_info(store, bucket, &info, sizeof(info)) == -ENOENT)
        return message_fail(-ENXIO, "there is no bucket '%s'", bucket);
    return identity_dropped(store->identity.name);
}

/* What a call on a pair is made from. */
struct plan {
    struct pair_request pair;
    struct condition condition;
    struct request request;
    const char *bucket; /* NULL: the handle's own */
};

/* Checks all of it. The plan must stay where it is. */
static int plan_init(struct plan *plan, enum operation operation, const struct key *source,
                     const struct key *target, const struct memstore_pair_options *options)
{
    struct memstore_pair_options ours = {0};
    int r = key_check(source->bytes, source->length);

    if (r == 0)
        r = key_check(target->bytes, target->length);
    if (r == 0)
        r = options_read(&ours, sizeof(ours), options);
    if (r == 0 && ours.bucket)
        r = bucket_check(ours.bucket);
    if (r == 0)
        r = condition_read(ours.condition, &plan->condition);
    if (r < 0)
        return r;
    plan->bucket = ours.bucket;
    plan->pair =
        (struct pair_request){.source_length = (uint16_t)source->length,
                              .target_length = (uint16_t)target->length,
                              .name_length = ours.bucket ? (uint16_t)strlen(ours.bucket) : 0};
    plan->request = (struct request){.operation = operation,
                                     .condition = r == 1 ? &plan->condition : NULL,
                                     .parts = {{&plan->pair, sizeof(plan->pair)},
                                               {source->bytes, source->length},
                                               {target->bytes, target->length},
                                               {ours.bucket, plan->pair.name_length}}};
    return 0;
}

static int pair_call(struct memstore *store, enum operation operation, const struct key *source,
                     const struct key *target, const struct memstore_pair_options *options,
                     struct memstore_object **ret_object)
{
    struct answer answer;
    struct plan plan;
    int r = plan_init(&plan, operation, source, target, options);

    if (r == 0)
        r = handle_call(store, &plan.request, &answer);
    if (r < 0)
        return r;
    if (answer.status < 0)
        r = pair_fail(&answer, operation == OPERATION_COPY ? "copy" : "move", source, target);
    else
        r = object_from_answer(&answer, target->bytes, target->length, ret_object);
    r = handle_done(store, &answer, r);
    return r == -ENXIO && plan.bucket ? pair_lost(store, plan.bucket) : r;
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
