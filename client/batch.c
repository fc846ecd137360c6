#include "batch.h"

#include "handle.h"
#include "message.h"
#include "put_head.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* ---- room ---- */

int bytes_make_room(struct bytes *bytes, size_t more)
{
    size_t capacity = bytes->capacity > 0 ? bytes->capacity : 4096;
    uint8_t *data;

    if (bytes->capacity - bytes->length >= more)
        return 0;
    while (capacity - bytes->length < more)
        capacity *= 2;
    data = realloc(bytes->data, capacity);
    if (!data)
        return -ENOMEM;
    bytes->data = data;
    bytes->capacity = capacity;
    return 0;
}

static int steps_make_room(struct memstore_batch *batch)
{
    size_t capacity = batch->capacity > 0 ? batch->capacity * 2 : 64;
    struct step *steps;

    if (batch->count < batch->capacity)
        return 0;
    steps = realloc(batch->steps, capacity * sizeof(*steps));
    if (!steps)
        return -ENOMEM;
    batch->steps = steps;
    batch->capacity = capacity;
    return 0;
}

/* ---- life ---- */

int memstore_batch_create(struct memstore *store, const struct memstore_batch_options *options,
                          struct memstore_batch **ret_batch)
{
    struct memstore_batch_options ours;
    struct memstore_batch *batch;
    int r = options_read(&ours, sizeof(ours), options);

    if (r < 0)
        return r;
    batch = calloc(1, sizeof(*batch));
    if (!batch)
        return out_of_memory();
    batch->store = store;
    batch->atomic = ours.atomic != 0;
    *ret_batch = batch;
    return 0;
}

void batch_forget(struct memstore_batch *batch)
{
    for (size_t i = 0; i < batch->count; i++) {
        struct step *step = &batch->steps[i];

        memstore_object_free(step->object);
        step->object = NULL;
        step->status = -ECANCELED;
        step->answer = step->answer_length = 0;
        step->is_conflict = false;
    }
    batch->answers.length = 0;
    batch->undone = false;
}

void memstore_batch_clear(struct memstore_batch *batch)
{
    batch_forget(batch);
    batch->count = 0;
    batch->volume = 0;
    batch->frames.length = 0;
}

void memstore_batch_destroy(struct memstore_batch *batch)
{
    if (!batch)
        return;
    memstore_batch_clear(batch);
    free(batch->steps);
    free(batch->frames.data);
    free(batch->answers.data);
    free(batch);
}

size_t memstore_batch_count(const struct memstore_batch *batch)
{
    return batch->count;
}

/* ---- appending ---- */

/* May the batch have one operation more, with so many bytes? */
static int check_limits(const struct memstore_batch *batch, uint64_t more)
{
    if (!batch->atomic)
        return 0;
    if (batch->count == BATCH_COUNT_MAX)
        return message_fail(-E2BIG, "an all-or-nothing batch has at most %d operations",
                            BATCH_COUNT_MAX);
    if (more > BATCH_BYTES_MAX - batch->volume)
        return message_fail(-E2BIG,
                            "an all-or-nothing batch has at most %u bytes of keys, attributes and "
                            "values",
                            (unsigned)BATCH_BYTES_MAX);
    return 0;
}

/* Prepares a step whose frame has a body of that length, behind the condition (NULL: none), and
 * finds the body's place. The step is in the batch only after step_add. */
static int step_prepare(struct memstore_batch *batch, enum operation operation,
                        const struct condition *condition, size_t body_length,
                        const struct part *value, uint8_t **ret_body)
{
    struct frame_header header = {.operation = (uint16_t)operation,
                                  .flags = condition ? FRAME_CONDITION : 0};
    const size_t front = step_front(&header);
    int r;

    header.length = (uint32_t)(sizeof(header) + front + body_length);
    r = check_limits(batch, header.length + value->length);
    if (r < 0)
        return r;
    if (steps_make_room(batch) < 0 || bytes_make_room(&batch->frames, header.length) < 0) {
        out_of_memory();
        return -ENOMEM;
    }
    batch->steps[batch->count] = (struct step){.operation = operation,
                                               .status = -ECANCELED,
                                               .frame = batch->frames.length,
                                               .value = *value};
    memcpy(batch->frames.data + batch->frames.length, &header, sizeof(header));
    *ret_body = batch->frames.data + batch->frames.length + sizeof(header) + front;
    if (condition)
        memcpy(*ret_body - front, condition, front);
    return 0;
}

static void step_add(struct memstore_batch *batch)
{
    struct frame_header header;

    memcpy(&header, batch->frames.data + batch->frames.length, sizeof(header));
    batch->frames.length += header.length;
    batch->volume += header.length + batch->steps[batch->count].value.length;
    batch->count++;
}

int memstore_batch_put(struct memstore_batch *batch, const void *key, size_t key_length,
                       const void *value, size_t value_size,
                       const struct memstore_put_options *options)
{
    struct part inside = {value, value_size};
    struct part apart = {value, value_size};
    struct put_plan plan = {0};
    uint8_t *body = NULL;
    int r = value_check(value, value_size);

    if (r == 0)
        r = put_plan_init(&plan, key, key_length, options);
    if (r == 0)
        r = ephemeral_refuse(plan.options.ephemeral);
    if (value_size <= INLINE_MAX)
        apart = (struct part){0};
    else
        inside.length = 0;
    if (r == 0)
        r = step_prepare(batch, OPERATION_PUT, plan.has_condition ? &plan.condition : NULL,
                         plan.length + inside.length, &apart, &body);
    if (r == 0)
        r = put_plan_write(&plan, body);
    if (r != 0)
        return r;
    if (inside.length > 0)
        memcpy(body + plan.length, inside.bytes, inside.length);
    step_add(batch);
    return 0;
}

/* Appends an operation whose body is a struct and the key. */
static int append_key(struct memstore_batch *batch, enum operation operation, const void *fixed,
                      size_t fixed_size, const void *key, size_t key_length)
{
    static const struct part no_value;
    uint8_t *body = NULL;
    int r = step_prepare(batch, operation, NULL, fixed_size + key_length, &no_value, &body);

    if (r != 0)
        return r;
    memcpy(body, fixed, fixed_size);
    if (key_length > 0)
        memcpy(body + fixed_size, key, key_length);
    step_add(batch);
    return 0;
}

int memstore_batch_get(struct memstore_batch *batch, const void *key, size_t key_length)
{
    const struct get_request get = {.key_length = (uint16_t)key_length, .length = MEMSTORE_TO_END};
    int r = key_check(key, key_length);

    return r < 0 ? r : append_key(batch, OPERATION_GET, &get, sizeof(get), key, key_length);
}

static int append_key_request(struct memstore_batch *batch, enum operation operation,
                              const void *key, size_t key_length)
{
    const struct key_request request = {.key_length = (uint16_t)key_length};
    int r = key_check(key, key_length);

    return r < 0 ? r : append_key(batch, operation, &request, sizeof(request), key, key_length);
}

int memstore_batch_exists(struct memstore_batch *batch, const void *key, size_t key_length)
{
    return append_key_request(batch, OPERATION_EXISTS, key, key_length);
}

int memstore_batch_delete(struct memstore_batch *batch, const void *key, size_t key_length)
{
    return append_key_request(batch, OPERATION_DELETE, key, key_length);
}

int memstore_batch_run(struct memstore_batch *batch)
{
    batch_forget(batch);
    return batch->atomic ? atomic_run(batch) : pipeline_run(batch);
}
