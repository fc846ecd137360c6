#include "batch.h"

#include "condition.h"
#include "handle.h"
#include "key.h"
#include "message.h"
#include "object.h"

#include <errno.h>
#include <string.h>

static size_t fixed_size(enum operation operation)
{
    switch (operation) {
    case OPERATION_PUT:
        return sizeof(struct put_request);
    case OPERATION_GET:
        return sizeof(struct get_request);
    default:
        return sizeof(struct key_request);
    }
}

static_assert(offsetof(struct put_request, key_length) ==
                      offsetof(struct key_request, key_length) &&
                  offsetof(struct get_request, key_length) ==
                      offsetof(struct key_request, key_length),
              "step_frame_read: their bodies begin alike");

void step_frame_read(const struct memstore_batch *batch, const struct step *step,
                     struct step_frame *ret_frame)
{
    const uint8_t *frame = batch->frames.data + step->frame;
    struct key_request start;

    memcpy(&ret_frame->header, frame, sizeof(ret_frame->header));
    ret_frame->front = step_front(&ret_frame->header);
    memcpy(&ret_frame->condition, frame + sizeof(ret_frame->header), ret_frame->front);
    ret_frame->body = frame + sizeof(ret_frame->header) + ret_frame->front;
    ret_frame->body_length =
        ret_frame->header.length - sizeof(ret_frame->header) - ret_frame->front;
    memcpy(&start, ret_frame->body, sizeof(start));
    ret_frame->key = ret_frame->body + fixed_size(step->operation);
    ret_frame->key_length = start.key_length;
}

/* ---- taking them in ---- */

/* Finds the object, and a get's value, in what a daemon answered. -EPROTO: it is none. */
static int find_object(const struct step *step, const struct frame *frame,
                       struct encoded *ret_encoded, struct part *ret_value)
{
    int r = encoded_read(frame->body, frame->body_length, ret_encoded);

    if (r < 0)
        return r;
    *ret_value =
        (struct part){frame->body + ret_encoded->length, frame->body_length - ret_encoded->length};
    if (ret_encoded->info.key_length > 0)
        return -EPROTO;
    return step->operation == OPERATION_PUT && ret_value->length > 0 ? -EPROTO : 0;
}

/* Keeps what an object will be made from if someone asks for it, or the words of an error. */
static int keep(struct memstore_batch *batch, struct step *step, const void *body, size_t length)
{
    struct bytes *answers = &batch->answers;

    if (length == 0)
        return 0;
    if (bytes_make_room(answers, length) < 0)
        return out_of_memory();
    memcpy(answers->data + answers->length, body, length);
    step->answer = answers->length;
    step->answer_length = length;
    answers->length += length;
    return 0;
}

static int keep_body(struct memstore_batch *batch, struct step *step, const struct frame *frame)
{
    return keep(batch, step, frame->body, frame->body_length);
}

/* The bulk buffer will be used again, so this object is made at once. */
static int keep_bulk(struct memstore_batch *batch, struct step *step, const struct answer *answer,
                     const struct encoded *encoded)
{
    const struct part value = {answer->bulk, answer->bulk_length};
    struct step_frame frame;

    step_frame_read(batch, step, &frame);
    return object_create(encoded, frame.key, frame.key_length, &value, &step->object);
}

static int take_object(struct memstore_batch *batch, struct step *step, const struct answer *answer)
{
    struct encoded encoded;
    struct part value;
    int r = find_object(step, &answer->frame, &encoded, &value);

    if (r < 0)
        return r;
    if (answer->bulk) {
        if (value.length > 0 || answer->bulk_length != encoded.info.size)
            return -EPROTO;
        return keep_bulk(batch, step, answer, &encoded);
    }
    if (step->operation == OPERATION_GET && value.length != encoded.info.size)
        return -EPROTO;
    return keep_body(batch, step, &answer->frame);
}

int batch_take_answer(struct memstore_batch *batch, struct step *step, const struct answer *answer)
{
    bool is_exists = step->operation == OPERATION_EXISTS;

    step->status = answer->status;
    step->is_conflict = answer->is_conflict;
    step->conflict = answer->conflict;
    if (is_exists && answer->status == -ENOENT)
        step->status = 0;
    else if (answer->status < 0)
        return keep_body(batch, step, &answer->frame);
    else if (step->operation == OPERATION_PUT || step->operation == OPERATION_GET)
        return take_object(batch, step, answer);
    else if (answer->frame.body_length > 0)
        return -EPROTO;
    else
        step->status = is_exists ? 1 : 0;
    return 0;
}

/* ---- telling them ---- */

static const char *verb_of(enum operation operation)
{
    switch (operation) {
    case OPERATION_PUT:
        return "put";
    case OPERATION_GET:
        return "get";
    case OPERATION_DELETE:
        return "delete";
    default:
        return "look up";
    }
}

/* What was kept, as a frame without a header. */
static struct frame kept_body(const struct memstore_batch *batch, const struct step *step)
{
    struct frame frame = {0};

    if (step->answer_length > 0) {
        frame.body = batch->answers.data + step->answer;
        frame.body_length = step->answer_length;
    }
    return frame;
}

static int step_explain(const struct memstore_batch *batch, const struct step *step)
{
    struct answer answer = {.status = step->status, .bucket = batch->store->identity.name};
    struct step_frame frame;

    answer.frame = kept_body(batch, step);
    step_frame_read(batch, step, &frame);
    if (step->is_conflict)
        conflict_note(step->conflict);
    return key_fail(&answer, verb_of(step->operation), frame.key, frame.key_length);
}

int batch_undo(struct memstore_batch *batch, size_t failed, const struct answer *answer)
{
    struct step *step = failed < batch->count ? &batch->steps[failed] : NULL;

    batch_forget(batch);
    batch->undone = true;
    batch->failed = failed;
    if (!step)
        return answer_fail(answer, "cannot do the batch");
    step->status = answer->status;
    step->is_conflict = answer->is_conflict;
    step->conflict = answer->conflict;
    keep_body(batch, step, &answer->frame); /* without memory there are our own words */
    return step_explain(batch, step);
}

int memstore_batch_status(struct memstore_batch *batch, size_t index)
{
    const struct step *step;

    if (index >= batch->count)
        return message_fail(-EINVAL, "the batch has %zu operations: there is no %zu", batch->count,
                            index);
    step = &batch->steps[index];
    return step->status < 0 ? step_explain(batch, step) : step->status;
}

static int make_object(struct memstore_batch *batch, struct step *step)
{
    const struct frame answer = kept_body(batch, step);
    struct step_frame frame;
    struct encoded encoded;
    struct part value;
    int r = find_object(step, &answer, &encoded, &value);

    if (r < 0)
        return r;
    step_frame_read(batch, step, &frame);
    return object_create(&encoded, frame.key, frame.key_length,
                         step->operation == OPERATION_GET ? &value : NULL, &step->object);
}

const struct memstore_object *memstore_batch_object(struct memstore_batch *batch, size_t index)
{
    struct step *step;

    if (index >= batch->count)
        return NULL;
    step = &batch->steps[index];
    if (!step->object && step->status == 0 && step->answer_length > 0)
        make_object(batch, step); /* it was checked; without memory there is none */
    return step->object;
}

size_t memstore_batch_failed(const struct memstore_batch *batch)
{
    size_t i = 0;

    if (batch->undone)
        return batch->failed;
    while (i < batch->count && batch->steps[i].status >= 0)
        i++;
    return i;
}
