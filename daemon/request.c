#include "request_private.h"

#include "server.h"

#include <errno.h>

/* Requests that move much come one at a time, between turns of the others, so that nobody waits for
 * more than one of them. */
bool request_must_wait(struct client *client)
{
    struct server *server = client->server;

    server->large_done = server->large_allowed;
    return !server->large_allowed;
}

static const struct operation_row {
    int (*handle)(struct request *request);
    bool takes_bulk;
    bool in_batch; /* a batch can have it */
} operations[] = {
    [OPERATION_HELLO] = {handle_hello, false, false},
    [OPERATION_ATTACH] = {handle_attach, false, false},
    [OPERATION_PUT] = {handle_put, true, true},
    [OPERATION_GET] = {handle_get, true, true},
    [OPERATION_EXISTS] = {handle_exists, false, true},
    [OPERATION_DELETE] = {handle_delete, false, true},
    [OPERATION_INFO] = {handle_info, false, false},
    [OPERATION_LIST] = {handle_list, true, false},
    [OPERATION_COPY] = {handle_copy, false, false},
    [OPERATION_MOVE] = {handle_move, false, false},
    [OPERATION_STATS] = {handle_stats, false, false},
    [OPERATION_DIRECT] = {handle_direct, false, false},
    [OPERATION_HOLDERS] = {handle_holders, false, false},
    [OPERATION_RING] = {handle_ring, false, false},
    [OPERATION_BATCH] = {handle_batch, true, false},
    [OPERATION_TOUCH] = {handle_touch, false, false},
    [OPERATION_BUCKET_CREATE] = {handle_bucket_create, false, false},
    [OPERATION_BUCKET_DROP] = {handle_bucket_drop, false, false},
    [OPERATION_BUCKET_LIST] = {handle_bucket_list, false, false},
    [OPERATION_BUCKET_INFO] = {handle_bucket_info, false, false},
    [OPERATION_BUCKET_SET] = {handle_bucket_set, false, false},
    [OPERATION_WAIT] = {handle_wait, false, false},
    [OPERATION_WATCH] = {handle_watch, false, false},
    [OPERATION_LOCK] = {handle_lock, false, false},
    [OPERATION_UNLOCK] = {handle_unlock, false, false},
};

static const struct operation_row *find_operation(uint16_t operation)
{
    if (operation >= sizeof(operations) / sizeof(operations[0]) || !operations[operation].handle)
        return NULL;
    return &operations[operation];
}

/* Whether the header is one that a request of this operation can have. */
static bool is_header_sound(const struct frame_header *header, uint16_t known)
{
    if (header->flags & ~known || header->status != 0)
        return false;
    return (header->flags & FRAME_BULK) || (header->bulk_length == 0 && header->bulk_offset == 0);
}

static int answer_unsound(struct request *request)
{
    return ANSWER_ERROR(request, -EPROTO,
                        "the frame header has flags, a status or bulk fields that operation %u "
                        "does not have",
                        (unsigned)request->header->operation);
}

static void request_init(struct request *request, struct client *client, const struct frame *frame)
{
    *request = (struct request){.client = client,
                                .store = client->server->store,
                                .header = &frame->header,
                                .body = {.at = frame->body, .left = frame->body_length}};
}

int request_handle(struct client *client, const struct frame *frame)
{
    uint16_t operation = frame->header.operation;
    const struct operation_row *row = find_operation(operation);
    struct request request;

    request_init(&request, client, frame);
    if (!client->greeted && operation != OPERATION_HELLO) {
        client->closing = true;
        return ANSWER_ERROR(&request, -EPROTO, "the first frame must be HELLO");
    }
    if (!row)
        return ANSWER_ERROR(&request, -EOPNOTSUPP, "there is no operation %u", operation);
    if (!is_header_sound(&frame->header, FRAME_CHAINED | (row->takes_bulk ? FRAME_BULK : 0)))
        return answer_unsound(&request);
    if (!(frame->header.flags & FRAME_CHAINED))
        client->chain_broken = false;
    else if (client->chain_broken)
        return ANSWER_ERROR(&request, -ECANCELED, "an answer before this one did not fit");
    return row->handle(&request);
}

int request_handle_in_batch(struct client *client, const struct frame *frame)
{
    const struct operation_row *row = find_operation(frame->header.operation);
    struct request request;

    request_init(&request, client, frame);
    request.in_batch = true;
    if (!row || !row->in_batch)
        return ANSWER_ERROR(&request, -EPROTO, "operation %u cannot be in a batch",
                            frame->header.operation);
    if (!is_header_sound(&frame->header, row->takes_bulk ? FRAME_BULK : 0))
        return answer_unsound(&request);
    return row->handle(&request);
}
