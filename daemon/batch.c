#include "batch.h"

#include "guard.h"
#include "request.h"
#include "server.h"
#include "shortage.h"

#include <errno.h>
#include <string.h>

/* A batch of more than so many requests, or bytes of frames, comes by itself between two turns. */
#define SMALL_COUNT 64
#define SMALL_BYTES (256U << 10)

/* What is taken out of the bulk buffer at once. One batch is handled at a time. */
static uint8_t window[FRAME_MAX];

/* The batch at hand: its frames, which are read through the window, first to see what it will
 * need, and then to do it. The client can change them in between. */
struct batch {
    struct client *client;
    const struct frame_header *header;
    uint32_t count;
    uint32_t taken; /* bytes that have been in the window, or are */
    uint32_t start; /* of what is left in the window */
    uint32_t end;
    struct store_group group; /* what it will need */
    uint32_t evicting;        /* a bucket that it puts into and that evicts; 0: none */
    uint64_t values;          /* bytes of values outside of the frames */
    size_t unsent;            /* of the client, before */
    size_t uncommitted;
    uint64_t bulk_answers; /* bytes that went into the bulk buffer */
};

/* ---- reading ---- */

/* Fills the window. -EFAULT, -EINVAL: the client has no memory there. */
static int fill(struct batch *batch)
{
    uint32_t left = batch->end - batch->start;
    uint32_t more = batch->header->bulk_length - batch->taken;
    uint8_t *part;
    int r;

    memmove(window, window + batch->start, left);
    batch->start = 0;
    batch->end = left;
    if (more > sizeof(window) - left)
        more = (uint32_t)sizeof(window) - left;
    r = bulk_part(&batch->client->bulk, batch->header->bulk_offset + batch->taken, more, &part);
    if (r == 0)
        r = guard_copy(window + left, part, more);
    if (r < 0)
        return r;
    batch->end += more;
    batch->taken += more;
    return 0;
}

/* Begins at the first frame. If all are in the window they are not copied again. */
static void rewind_frames(struct batch *batch)
{
    batch->start = 0;
    if (batch->header->bulk_length <= sizeof(window) && batch->taken > 0)
        return;
    batch->taken = batch->end = 0;
}

static bool has(const struct batch *batch, size_t length)
{
    return batch->end - batch->start >= length;
}

/* Takes the next frame. It stands in the window until the next one is taken. -EPROTO: it is none;
 * -EFAULT, -EINVAL. */
static int next_frame(struct batch *batch, struct frame *ret_frame)
{
    struct frame_header *header = &ret_frame->header;
    int r = has(batch, sizeof(*header)) ? 0 : fill(batch);

    if (r < 0)
        return r;
    if (!has(batch, sizeof(*header)))
        return -EPROTO;
    memcpy(header, window + batch->start, sizeof(*header));
    if (header->length < sizeof(*header) || header->length > FRAME_MAX)
        return -EPROTO;
    if (!has(batch, header->length))
        r = fill(batch);
    if (r < 0)
        return r;
    if (!has(batch, header->length))
        return -EPROTO;
    ret_frame->body = window + batch->start + sizeof(*header);
    ret_frame->body_length = header->length - sizeof(*header);
    batch->start += header->length;
    return 0;
}

/* After the last frame: nothing may be left. */
static int check_end(const struct batch *batch)
{
    return batch->taken == batch->header->bulk_length && batch->start == batch->end ? 0 : -EPROTO;
}

/* ---- failing ---- */

static void take_answers_back(struct batch *batch)
{
    struct buffer *out = &batch->client->connection.out;

    out->end = out->start + batch->unsent;
    batch->client->uncommitted = batch->uncommitted;
}

/* The answer of a batch that failed, with what was said of the request that did: a text, and in
 * front of it, if that was its condition, condition_failure. */
static int answer_failed(struct batch *batch, uint32_t index, const struct frame_header *failure,
                         const char *text, size_t length)
{
    const struct batch_failure fixed = {.index = index};
    struct frame_header extra = {.status = failure->status,
                                 .flags = failure->flags & FRAME_CONDITION,
                                 .bulk_length = failure->bulk_length};
    size_t front = extra.flags ? sizeof(struct condition_failure) : 0;
    uint8_t *body = client_answer(batch->client, batch->header, &extra, sizeof(fixed) + length);

    if (!body)
        return 0;
    memcpy(body, text, front);
    memcpy(body + front, &fixed, sizeof(fixed));
    memcpy(body + front + sizeof(fixed), text + front, length - front);
    return 0;
}

static int fail(struct batch *batch, uint32_t index, int status, const char *text)
{
    const struct frame_header failure = {.status = status};

    return answer_failed(batch, index, &failure, text, strlen(text));
}

/* The same with the words of the answer that was queued last. */
static int fail_like(struct batch *batch, uint32_t index, size_t unsent)
{
    const struct buffer *out = &batch->client->connection.out;
    struct frame_header failure;
    char text[512];
    size_t length;

    memcpy(&failure, out->data + out->start + unsent, sizeof(failure));
    length = failure.length - sizeof(failure);
    if (length > sizeof(text))
        length = sizeof(text);
    memcpy(text, out->data + out->start + unsent + sizeof(failure), length);
    take_answers_back(batch);
    return answer_failed(batch, index, &failure, text, length);
}

/* What the store says of the whole. Returns what request_answer_failure does. */
static int fail_whole(struct batch *batch, int error)
{
    int r;

    take_answers_back(batch);
    r = request_answer_failure(batch->client, batch->header, error, batch->evicting);

    if (r < 0 || batch->client->dead)
        return r;
    return fail_like(batch, batch->count, batch->unsent);
}

static int fail_frame(struct batch *batch, uint32_t index, int error)
{
    switch (error) {
    case -EPROTO:
        return fail(batch, index, error,
                    "the frames are not as many and as long as the batch says");
    case -E2BIG:
        return fail(batch, index, error, "frames and values of a batch are too many bytes");
    default:
        return fail(batch, index, error, "there is no memory for the pages of the bulk buffer");
    }
}

/* ---- looking ahead ---- */

/* Adds what a request will need. -E2BIG: the values are too many. */
static int measure(struct batch *batch, const struct frame *frame)
{
    const struct frame_header *header = &frame->header;
    struct store_group *group = &batch->group;
    size_t before = header->flags & FRAME_CONDITION ? sizeof(struct condition) : 0;
    struct put_request put = {0};

    switch (header->operation) {
    case OPERATION_PUT:
        group->puts++;
        group->bytes += header->length;
        if (frame->body_length >= before + sizeof(put))
            memcpy(&put, frame->body + before, sizeof(put));
        if (put.ttl == TTL_DEFAULT)
            put.ttl = store_bucket_ttl(batch->client->server->store, put.bucket);
        group->lifetimes += put.ttl > 0;
        if (store_evicts(batch->client->server->store, put.bucket)) {
            batch->evicting = put.bucket;
            group->evictions++;
        }
        if (header->flags & FRAME_BULK)
            batch->values += header->bulk_length;
        break;
    case OPERATION_DELETE:
        break;
    default:
        return 0;
    }
    group->changes++;
    return batch->values > BATCH_BYTES_MAX - batch->header->bulk_length ? -E2BIG : 0;
}

/* Returns 1, or 0 if the batch has been answered. */
static int look_ahead(struct batch *batch)
{
    struct frame frame;
    int r = 0;

    rewind_frames(batch);
    for (uint32_t i = 0; i < batch->count; i++) {
        r = next_frame(batch, &frame);
        if (r == 0)
            r = measure(batch, &frame);
        if (r < 0)
            return fail_frame(batch, i, r);
    }
    r = check_end(batch);
    if (r < 0)
        return fail_frame(batch, batch->count, r);
    batch->group.bytes += batch->values;
    return 1;
}

/* ---- doing it ---- */

/* Whether an answer is one that fails the batch. */
static bool is_failure(const struct frame_header *answer)
{
    bool reads = answer->operation == OPERATION_GET || answer->operation == OPERATION_EXISTS;
    bool finds_nothing = answer->status == -ENOENT || answer->status == -EALREADY;

    return answer->status < 0 && !(reads && finds_nothing);
}

/* Handles a request. Returns 1 if it went well, 0 if the batch has failed and been answered, or
 * what is to be done before the batch is tried again. */
static int do_one(struct batch *batch, uint32_t index)
{
    struct client *client = batch->client;
    size_t unsent = connection_unsent(&client->connection);
    struct frame_header answer;
    struct frame frame;
    int r = next_frame(batch, &frame);

    if (r < 0) {
        take_answers_back(batch);
        return fail_frame(batch, index, r);
    }
    r = request_handle_in_batch(client, &frame);
    if (r < 0 || client->dead)
        return r;
    memcpy(&answer, client->connection.out.data + client->connection.out.start + unsent,
           sizeof(answer));
    if (is_failure(&answer))
        return fail_like(batch, index, unsent);
    if (answer.flags & FRAME_BULK)
        batch->bulk_answers += answer.bulk_length;
    if (connection_unsent(&client->connection) - batch->unsent + batch->bulk_answers <=
        BATCH_ANSWERS_MAX)
        return 1;
    take_answers_back(batch);
    return fail(batch, index, -E2BIG, "the answers of a batch are too many bytes");
}

static int do_all(struct batch *batch)
{
    int r = 1;

    rewind_frames(batch);
    for (uint32_t i = 0; r == 1 && i < batch->count; i++)
        r = do_one(batch, i);
    if (r != 1)
        return r;
    r = store_group_end(batch->client->server->store);
    return r < 0 ? fail_whole(batch, r) : 1;
}

static bool is_large(const struct batch *batch)
{
    return batch->count > SMALL_COUNT || batch->values + batch->header->bulk_length > SMALL_BYTES;
}

/* In the transaction that is the batch's own. Returns 1, or what do_all does. */
static int do_group(struct batch *batch)
{
    struct server *server = batch->client->server;
    int r = store_group_begin(server->store, &batch->group);

    if (r < 0)
        return r == -EINPROGRESS ? r : fail_whole(batch, r);
    r = do_all(batch);
    if (r == 1)
        return 1;
    if (r < 0 && !batch->client->dead)
        take_answers_back(batch);
    if (store_group_abort(server->store) < 0)
        server->failure = -ENOTRECOVERABLE;
    if (r != -EINPROGRESS || server->failure)
        return r;
    if (batch->client->is_short)
        shortage_ease(batch->client, batch->evicting, batch->values + batch->header->bulk_length);
    r = store_group_make_room(server->store);
    return r < 0 && r != -EAGAIN && r != -EINPROGRESS ? fail_whole(batch, r) : -EINPROGRESS;
}

int batch_handle(struct client *client, const struct frame_header *header, uint32_t count)
{
    struct batch batch = {.client = client, .header = header, .count = count};
    int r = is_large(&batch) && request_must_wait(client) ? -EINPROGRESS : look_ahead(&batch);

    if (r == 1 && is_large(&batch) && request_must_wait(client))
        r = -EINPROGRESS;
    if (r != 1)
        return r;
    server_commit(client->server);
    if (client->dead)
        return 0;
    batch.unsent = connection_unsent(&client->connection);
    batch.uncommitted = client->uncommitted;
    r = do_group(&batch);
    if (r != 1)
        return r;
    client_answer(client, header, NULL, 0);
    client->server->requests += count;
    return 0;
}
