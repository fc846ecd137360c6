/*
 * How an all-or-nothing batch runs: it is one request, and its operations stand in the bulk buffer:
 * their frames, then the values that do not fit those, then room for large ones that come back.
 */
#include "batch.h"

#include "channel_private.h"
#include "deadline.h"
#include "handle.h"

#include <errno.h>
#include <string.h>

/* Bytes of the bulk buffer that all gets have room in, if that much is enough. */
#define ROOMS_MAX (UINT64_C(64) << 20)

/* A run, as far as it is. */
struct run {
    struct memstore_batch *batch;
    struct channel *channel;
    uint64_t first_id; /* of the first operation; the batch's own comes behind all of theirs */
    bool asked;        /* the request is queued, and may be sent */
    bool answered;     /* the operations have answers */
};

/* ---- asking ---- */

/* What stands behind the frames begins on a cache line. */
static uint64_t align(uint64_t offset)
{
    return (offset + 63) / 64 * 64;
}

/* Bytes of the bulk buffer that a step needs besides its frame. */
static uint64_t step_bulk(const struct step *step)
{
    return step->operation == OPERATION_GET ? step->room : step->value.length;
}

static uint64_t batch_bulk(const struct memstore_batch *batch)
{
    uint64_t size = align(batch->frames.length);

    for (size_t i = 0; i < batch->count; i++)
        size += align(step_bulk(&batch->steps[i]));
    return size;
}

/* Fills in what a frame in the bulk buffer still lacks, and puts its value to its place. */
static void step_finish(struct run *run, const struct step *step, uint64_t id, uint64_t offset)
{
    uint8_t *place = run->channel->bulk.data + step->frame;
    struct frame_header header;

    memcpy(&header, place, sizeof(header));
    header.id = id;
    if (step_bulk(step) > 0) {
        header.flags |= FRAME_BULK;
        header.bulk_offset = offset;
        header.bulk_length = (uint32_t)step_bulk(step);
    }
    memcpy(place, &header, sizeof(header));
    memcpy(place + sizeof(header) + step_front(&header), &run->channel->bucket,
           sizeof(run->channel->bucket));
    if (step->value.length > 0)
        memcpy(run->channel->bulk.data + offset, step->value.bytes, step->value.length);
}

static void fill_bulk(struct run *run)
{
    const struct memstore_batch *batch = run->batch;
    uint64_t offset = align(batch->frames.length);

    memcpy(run->channel->bulk.data, batch->frames.data, batch->frames.length);
    for (size_t i = 0; i < batch->count; i++) {
        const struct step *step = &batch->steps[i];

        step_finish(run, step, run->first_id + i, offset);
        offset += align(step_bulk(step));
    }
}

static int queue_batch(struct run *run)
{
    const struct memstore_batch *batch = run->batch;
    const struct frame_header header = {.operation = OPERATION_BATCH,
                                        .flags = FRAME_BULK,
                                        .id = run->first_id + batch->count,
                                        .bulk_length = (uint32_t)batch->frames.length};
    const struct batch_request request = {.count = (uint32_t)batch->count};
    uint8_t *body = connection_queue(&run->channel->connection, &header, sizeof(request));

    if (!body)
        return -ENOMEM;
    memcpy(body, &request, sizeof(request));
    run->channel->last_id = header.id;
    run->asked = true;
    return 0;
}

/* Has all of it under way. The channel has its connection. */
static int ask(struct run *run)
{
    int64_t deadline = deadline_in(run->batch->store->timeout);
    int r = channel_take_bulk(run->channel, deadline);

    run->asked = run->answered = false;
    if (r == 0)
        r = bulk_reserve(&run->channel->bulk, batch_bulk(run->batch));
    if (r == 0)
        r = channel_attach(run->channel, deadline);
    if (r < 0)
        return r;
    run->first_id = run->channel->last_id + 1;
    fill_bulk(run);
    return queue_batch(run);
}

/* ---- answers ---- */

static int await(struct run *run, const struct expected *expected, struct answer *ret_answer)
{
    return channel_await(run->channel, expected, deadline_in(run->batch->store->timeout),
                         ret_answer);
}

/* Whether what stands in the bulk buffer stands in the room of that get. */
static bool is_in_room(const struct run *run, const struct step *step, const struct answer *answer,
                       uint64_t offset)
{
    return !answer->bulk ||
           (answer->bulk == run->channel->bulk.data + offset && answer->bulk_length <= step->room);
}

/* Takes the answers of the operations, and finds that of the batch: it comes last, or first and
 * alone if nothing was done. */
static int take_answers(struct run *run, struct answer *ret_answer)
{
    struct memstore_batch *batch = run->batch;
    const struct expected whole = {
        .operation = OPERATION_BATCH, .id = run->first_id + batch->count, .condition = true};
    struct expected expected = {.bulk = true, .room = run->channel->bulk.size, .instead = &whole};
    uint64_t offset = align(batch->frames.length);
    int r;

    for (size_t i = 0; i < batch->count; i++) {
        struct step *step = &batch->steps[i];

        expected.operation = step->operation;
        expected.id = run->first_id + i;
        r = await(run, &expected, ret_answer);
        if (r < 0 || ret_answer->frame.header.id == whole.id)
            return r;
        r = is_in_room(run, step, ret_answer, offset) ? batch_take_answer(batch, step, ret_answer)
                                                      : -EPROTO;
        if (r < 0)
            return r;
        connection_consume(&run->channel->connection, &ret_answer->frame);
        expected.instead = NULL;
        offset += align(step_bulk(step));
    }
    run->answered = true;
    return await(run, &whole, ret_answer);
}

/* An answer did not fit: gives that get more room, and all others too, if there is enough for all.
 */
static int grow_room(struct memstore_batch *batch, size_t index, uint64_t needed)
{
    uint64_t room = needed + needed / 8; /* others may change the object meanwhile */

    if (batch->steps[index].operation != OPERATION_GET || needed <= batch->steps[index].room)
        return -EPROTO;
    batch->steps[index].room = room;
    if (room > ROOMS_MAX / batch->count)
        return 0;
    for (size_t i = 0; i < batch->count; i++) {
        struct step *step = &batch->steps[i];

        if (step->operation == OPERATION_GET && step->room < room)
            step->room = room;
    }
    return 0;
}

/* Nothing was done, because of one operation, or of what all of them need together. Returns 1 if it
 * can be tried once more, otherwise 0 and what became of the batch. -EPROTO. */
static int take_failure(struct memstore_batch *batch, const struct answer *answer, int *ret_result)
{
    static const char too_much[] = "the values that a batch gets are too many bytes";
    uint64_t needed = answer->frame.header.bulk_length;
    struct answer reason = *answer;
    struct batch_failure failure;
    int r;

    if (answer->frame.body_length < sizeof(failure))
        return -EPROTO;
    memcpy(&failure, answer->frame.body, sizeof(failure));
    if (failure.index > batch->count)
        return -EPROTO;
    reason.frame.body += sizeof(failure);
    reason.frame.body_length -= sizeof(failure);
    if (answer->status != -EMSGSIZE) {
        *ret_result = batch_undo(batch, failure.index, &reason);
        return 0;
    }
    if (failure.index == batch->count)
        return -EPROTO;
    if (needed > BATCH_ANSWERS_MAX) {
        reason = (struct answer){
            .frame = {.body = (const uint8_t *)too_much, .body_length = sizeof(too_much) - 1},
            .status = -E2BIG};
        *ret_result = batch_undo(batch, failure.index, &reason);
        return 0;
    }
    r = grow_room(batch, failure.index, needed);
    return r < 0 ? r : 1;
}

/* The answer of the batch. As take_failure. */
static int take_end(struct run *run, const struct answer *answer, int *ret_result)
{
    struct memstore_batch *batch = run->batch;

    *ret_result = 0;
    if (answer->status == 0)
        return run->answered && answer->frame.body_length == 0 ? 0 : -EPROTO;
    if (!run->answered)
        return take_failure(batch, answer, ret_result);
    /* It could not be committed. */
    *ret_result = batch_undo(batch, batch->count, answer);
    return 0;
}

/* ---- running ---- */

static bool has_changes(const struct memstore_batch *batch)
{
    for (size_t i = 0; i < batch->count; i++)
        if (batch->steps[i].operation == OPERATION_PUT ||
            batch->steps[i].operation == OPERATION_DELETE)
            return true;
    return false;
}

/* It is open whether it was done. Returns 1 if it can be tried once more: it was not, or changes
 * nothing. */
static int lose(struct run *run, int error)
{
    struct memstore_batch *batch = run->batch;
    /* A daemon that is still there may yet take what stands in the ring. */
    bool sent = run->asked && (error != -ECONNRESET || channel_has_sent(run->channel));

    /* And it may be at work in the bulk buffer. */
    if (sent)
        bulk_finish(&run->channel->bulk);
    channel_fail(run->channel, error);
    batch_forget(batch);
    if (error == -ECONNRESET && !(sent && has_changes(batch)))
        return 1;
    for (size_t i = 0; sent && i < batch->count; i++)
        batch->steps[i].status = error;
    return error;
}

/* One attempt. Returns 1 if another one is needed, otherwise what memstore_batch_run does. */
static int attempt(struct run *run, bool *ret_lost)
{
    struct answer answer = {0};
    int result = 0;
    int r = channel_begin(run->channel, deadline_in(run->batch->store->timeout));

    *ret_lost = false;
    if (r < 0)
        return r;
    r = ask(run);
    if (r == 0)
        r = take_answers(run, &answer);
    answer.bulk_used = batch_bulk(run->batch);
    if (r == 0)
        r = take_end(run, &answer, &result);
    if (r < 0) {
        *ret_lost = true;
        return lose(run, r);
    }
    channel_done(run->channel, &answer, 0);
    return r == 1 ? 1 : result;
}

int atomic_run(struct memstore_batch *batch)
{
    struct memstore *store = batch->store;
    struct run run = {.batch = batch, .channel = &store->channel};
    bool lost, lost_before = false;
    int r;

    if (batch->count == 0)
        return 0;
    handle_adopt_if_forked(store);
    r = handle_take_turn(store, deadline_in(store->timeout));
    if (r < 0)
        return r;
    do {
        r = attempt(&run, &lost);
        if (r == 1 && lost && lost_before)
            r = -ECONNRESET;
        lost_before |= lost;
    } while (r == 1);
    handle_pass_turn(store);
    return r;
}
