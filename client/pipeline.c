/*
 * How a plain batch runs: its requests go out one behind the other, and the answers are taken in as
 * they come, so that neither side has to keep many. What does not fit a frame, a large value in
 * either direction, goes by itself when all before it is answered.
 */
#include "batch.h"

#include "channel_private.h"
#include "deadline.h"
#include "get.h"
#include "handle.h"
#include "key.h"

#include <errno.h>
#include <string.h>

#define NONE SIZE_MAX

struct pipeline {
    struct memstore_batch *batch;
    struct memstore *store;
    struct channel *channel;
    size_t next;       /* the step that is asked for next */
    size_t answered;   /* the first step that is not answered */
    size_t stopped;    /* a get whose answer did not fit, with all behind it not done; or NONE */
    size_t tried;      /* the last step that was tried directly, or NONE */
    size_t changes;    /* puts and deletes under way */
    uint64_t first_id; /* plus a step's index: its id */
    bool gets_alone;   /* the last get was large; the next may be */
    bool repeated;     /* on a new connection, with no answer yet */
    bool has_turn;
};

static bool is_read(const struct step *step)
{
    return step->operation == OPERATION_GET || step->operation == OPERATION_EXISTS;
}

static bool is_empty(const struct pipeline *pipeline)
{
    return pipeline->answered == pipeline->next;
}

/* The step is done, by itself. */
static void pipeline_skip(struct pipeline *pipeline)
{
    pipeline->answered = ++pipeline->next;
    pipeline->stopped = NONE;
}

/* ---- the handle's turn ---- */

static int take_turn(struct pipeline *pipeline)
{
    int64_t deadline = deadline_in(pipeline->store->timeout);
    int r = pipeline->has_turn ? 0 : handle_take_turn(pipeline->store, deadline);

    if (r < 0)
        return r;
    pipeline->has_turn = true;
    return channel_begin(pipeline->channel, deadline);
}

static void pass_turn(struct pipeline *pipeline)
{
    if (!pipeline->has_turn)
        return;
    channel_end(pipeline->channel);
    handle_pass_turn(pipeline->store);
    pipeline->has_turn = false;
}

/* ---- one at a time ---- */

/* Reads in place, which needs no turn. Returns 1, or 0 if the daemon is to be asked. */
static int step_directly(struct pipeline *pipeline, struct step *step)
{
    struct step_frame frame;
    struct get get = {0};
    int r;

    pipeline->tried = pipeline->next;
    pass_turn(pipeline);
    step_frame_read(pipeline->batch, step, &frame);
    if (step->operation == OPERATION_GET) {
        memcpy(&get.fixed, frame.body, sizeof(get.fixed));
        get.key = frame.key;
        r = get_directly(pipeline->store, &get, &step->object);
    } else {
        r = look_up_directly(pipeline->store, frame.key, frame.key_length, NULL);
    }
    if (r == -ENOMEM || r == -ETIMEDOUT)
        return r;
    if (r == -EOPNOTSUPP || !direct_is_final(r))
        return 0;
    step->status = step->operation == OPERATION_EXISTS ? r == 0 : r;
    if (step->object)
        pipeline->gets_alone = memstore_object_size(step->object) > FRAME_MAX / 2;
    return 1;
}

/* A value that is too large for a frame needs the bulk buffer, of which there is one. */
static int step_alone(struct pipeline *pipeline, struct step *step)
{
    int64_t deadline = deadline_in(pipeline->store->timeout);
    struct step_frame frame;
    struct request request = {.operation = step->operation, .value = step->value};
    struct answer answer;
    int r;

    step_frame_read(pipeline->batch, step, &frame);
    request.condition = frame.front > 0 ? &frame.condition : NULL;
    request.parts[0] = (struct part){frame.body, frame.body_length};
    request.wants_room = step->operation == OPERATION_GET;
    r = channel_call(pipeline->channel, &request, deadline, &answer);
    if (r == 0) {
        if (step->operation == OPERATION_GET)
            pipeline->gets_alone = answer.bulk_length > FRAME_MAX / 2;
        r = batch_take_answer(pipeline->batch, step, &answer);
        r = channel_done(pipeline->channel, &answer, r);
    }
    if (r < 0)
        step->status = r;
    return r;
}

static bool is_alone(const struct pipeline *pipeline, const struct step *step)
{
    return step->value.length > 0 || pipeline->next == pipeline->stopped ||
           (step->operation == OPERATION_GET && pipeline->gets_alone);
}

/* With nothing under way, a step may be done by itself. Returns 1 if it was, 0 if it begins a
 * pipeline. */
static int step_by_itself(struct pipeline *pipeline, struct step *step)
{
    int r = 0;

    if (is_read(step) && pipeline->tried != pipeline->next)
        r = step_directly(pipeline, step);
    if (r == 0)
        r = take_turn(pipeline);
    else if (r == 1)
        pipeline_skip(pipeline);
    if (r != 0)
        return r;
    pipeline->first_id = pipeline->channel->last_id + 1 - pipeline->next;
    if (!is_alone(pipeline, step))
        return 0;
    r = step_alone(pipeline, step);
    if (r < 0)
        return r;
    pipeline_skip(pipeline);
    return 1;
}

/* ---- many at once ---- */

static int step_queue(struct pipeline *pipeline, const struct step *step)
{
    struct channel *channel = pipeline->channel;
    struct step_frame frame;
    uint8_t *body;

    step_frame_read(pipeline->batch, step, &frame);
    frame.header.id = ++channel->last_id;
    if (!is_empty(pipeline))
        frame.header.flags |= FRAME_CHAINED;
    body = connection_queue(&channel->connection, &frame.header, frame.front + frame.body_length);
    if (!body)
        return -ENOMEM;
    memcpy(body, frame.body - frame.front, frame.front + frame.body_length);
    memcpy(body + frame.front, &channel->bucket, sizeof(channel->bucket));
    if (!is_read(step))
        pipeline->changes++;
    else if (pipeline->tried != pipeline->next)
        direct_note_asked(&pipeline->store->direct);
    pipeline->next++;
    return 0;
}

/* Whether the step can be sent behind what is under way. */
static bool can_join(const struct pipeline *pipeline, const struct step *step)
{
    return pipeline->stopped == NONE && !is_alone(pipeline, step) &&
           connection_unsent(&pipeline->channel->connection) < FRAME_MAX;
}

/* Does and queues what can be done and queued now. */
static int pipeline_fill(struct pipeline *pipeline)
{
    const struct memstore_batch *batch = pipeline->batch;
    size_t before = pipeline->next;
    int r;

    while (pipeline->next < batch->count) {
        struct step *step = &batch->steps[pipeline->next];

        if (is_empty(pipeline)) {
            r = step_by_itself(pipeline, step);
            if (r < 0)
                return r;
            if (r > 0)
                continue;
        } else if (!can_join(pipeline, step)) {
            break;
        }
        r = step_queue(pipeline, step);
        if (r < 0)
            return channel_fail(pipeline->channel, r);
    }
    if (!is_empty(pipeline) && pipeline->next > before)
        channel_send(pipeline->channel); /* what goes wrong is known when an answer is awaited */
    return 0;
}

/* Behind a get whose answer did not fit nothing was done: all of it is asked for again. */
static void pipeline_rewind(struct pipeline *pipeline)
{
    if (pipeline->stopped != NONE && is_empty(pipeline))
        pipeline->answered = pipeline->next = pipeline->stopped;
}

static int take_answer(struct pipeline *pipeline, const struct answer *answer)
{
    struct step *step = &pipeline->batch->steps[pipeline->answered];

    if (!is_read(step))
        pipeline->changes--;
    if (pipeline->stopped != NONE)
        return answer->status < 0 ? 0 : -EPROTO;
    if (step->operation != OPERATION_GET || answer->status != -EMSGSIZE)
        return batch_take_answer(pipeline->batch, step, answer);
    pipeline->stopped = pipeline->answered;
    return 0;
}

/* When the next answer has to be there. For one that has come already nobody looks at the clock:
 * that would be a good part of what a small operation costs. */
static int64_t pipeline_deadline(const struct pipeline *pipeline)
{
    struct frame frame;

    return connection_next(&pipeline->channel->connection, &frame) > 0
               ? 0
               : deadline_in(pipeline->store->timeout);
}

/* Waits for the first answer that is under way. */
static int pipeline_await(struct pipeline *pipeline, struct answer *ret_answer)
{
    const struct step *step = &pipeline->batch->steps[pipeline->answered];
    const struct expected expected = {.operation = step->operation,
                                      .id = pipeline->first_id + pipeline->answered,
                                      .condition = true};

    return channel_await(pipeline->channel, &expected, pipeline_deadline(pipeline), ret_answer);
}

/* The connection is lost. Returns whether what is under way can go over a new one: it was not sent,
 * or changes nothing. */
static bool pipeline_repeat(struct pipeline *pipeline)
{
    if (pipeline->repeated || (pipeline->changes > 0 && channel_has_sent(pipeline->channel)))
        return false;
    channel_close(pipeline->channel);
    pipeline->repeated = true;
    pipeline->changes = 0;
    pipeline->next = pipeline->answered;
    pipeline_rewind(pipeline);
    return true;
}

static int pipeline_take(struct pipeline *pipeline)
{
    struct answer answer;
    int r = pipeline_await(pipeline, &answer);

    if (r == -ECONNRESET && pipeline_repeat(pipeline))
        return 0;
    if (r == 0)
        r = take_answer(pipeline, &answer);
    if (r < 0)
        return channel_fail(pipeline->channel, r);
    connection_consume(&pipeline->channel->connection, &answer.frame);
    pipeline->answered++;
    pipeline->repeated = false;
    pipeline_rewind(pipeline);
    return 0;
}

/* It is open whether what is under way was done. */
static void pipeline_break(struct pipeline *pipeline, int error)
{
    for (size_t i = pipeline->answered; i < pipeline->next; i++)
        pipeline->batch->steps[i].status = error;
}

int pipeline_run(struct memstore_batch *batch)
{
    struct pipeline pipeline = {.batch = batch,
                                .store = batch->store,
                                .channel = &batch->store->channel,
                                .stopped = NONE,
                                .tried = NONE};
    int r = 0;

    handle_adopt_if_forked(batch->store);
    while (r == 0 && pipeline.answered < batch->count) {
        r = pipeline_fill(&pipeline);
        if (r == 0 && !is_empty(&pipeline))
            r = pipeline_take(&pipeline);
    }
    if (r < 0)
        pipeline_break(&pipeline, r);
    pass_turn(&pipeline);
    return r;
}
