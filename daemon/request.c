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
    bool in_batch;       /* a batch can have it */
    uint32_t conditions; /* kinds that it can have */
} operations[] = {
    [OPERATION_HELLO] = {handle_hello, false, false, 0},
    [OPERATION_ATTACH] = {handle_attach, false, false, 0},
    [OPERATION_PUT] = {handle_put, true, true, CONDITIONS_OF_CHANGES},
    [OPERATION_GET] = {handle_get, true, true, CONDITIONS_OF_READS},
    [OPERATION_EXISTS] = {handle_exists, false, true, 0},
    [OPERATION_DELETE] = {handle_delete, false, true, CONDITIONS_OF_CHANGES},
    [OPERATION_INFO] = {handle_info, false, false, CONDITIONS_OF_READS},
    [OPERATION_LIST] = {handle_list, true, false, 0},
    [OPERATION_COPY] = {handle_copy, false, false, CONDITIONS_OF_CHANGES},
    [OPERATION_MOVE] = {handle_move, false, false, CONDITIONS_OF_CHANGES},
    [OPERATION_STATS] = {handle_stats, false, false, 0},
    [OPERATION_DIRECT] = {handle_direct, false, false, 0},
    [OPERATION_HOLDERS] = {handle_holders, false, false, 0},
    [OPERATION_RING] = {handle_ring, false, false, 0},
    [OPERATION_BATCH] = {handle_batch, true, false, 0},
    [OPERATION_TOUCH] = {handle_touch, false, false, CONDITIONS_OF_CHANGES},
    [OPERATION_ADD] = {handle_add, false, false, CONDITIONS_OF_CHANGES},
    [OPERATION_BUCKET_CREATE] = {handle_bucket_create, false, false, 0},
    [OPERATION_BUCKET_DROP] = {handle_bucket_drop, false, false, 0},
    [OPERATION_BUCKET_LIST] = {handle_bucket_list, false, false, 0},
    [OPERATION_BUCKET_INFO] = {handle_bucket_info, false, false, 0},
    [OPERATION_BUCKET_SET] = {handle_bucket_set, false, false, 0},
    [OPERATION_BUCKET_KEEP] = {handle_bucket_keep, false, false, 0},
    [OPERATION_WAIT] = {handle_wait, false, false, 0},
    [OPERATION_WATCH] = {handle_watch, false, false, 0},
    [OPERATION_LOCK] = {handle_lock, false, false, 0},
    [OPERATION_UNLOCK] = {handle_unlock, false, false, 0},
};

static const struct operation_row *find_operation(uint16_t operation)
{
    if (operation >= sizeof(operations) / sizeof(operations[0]) || !operations[operation].handle)
        return NULL;
    return &operations[operation];
}

/* Whether the header is one that a request of this operation can have, with the flags that are
 * allowed here besides its own. */
static bool is_header_sound(const struct frame_header *header, const struct operation_row *row,
                            uint16_t allowed)
{
    uint16_t known =
        allowed | (row->takes_bulk ? FRAME_BULK : 0) | (row->conditions ? FRAME_CONDITION : 0);

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

/* Takes the condition off the front of the body, to a place that the request then points at: 1, or
 * 0 if it has been answered. */
static int take_condition(struct request *request, const struct operation_row *row,
                          struct store_condition *place)
{
    if (!(request->header->flags & FRAME_CONDITION))
        return 1;
    *place = (struct store_condition){0};
    if (!take(&request->body, &place->wanted, sizeof(place->wanted)) || place->wanted.reserved != 0)
        return answer_malformed(request);
    if (condition_check(&place->wanted, row->conditions) < 0)
        return ANSWER_ERROR(request, -EINVAL,
                            "the condition's kinds (0x%x) are none, contradict each other or are "
                            "not for operation %u, or its version is 0",
                            place->wanted.kinds, (unsigned)request->header->operation);
    request->condition = place;
    return 1;
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
    struct store_condition condition;
    struct request request;

    request_init(&request, client, frame);
    if (!client->greeted && operation != OPERATION_HELLO) {
        client->closing = true;
        return ANSWER_ERROR(&request, -EPROTO, "the first frame must be HELLO");
    }
    if (!row)
        return ANSWER_ERROR(&request, -EOPNOTSUPP, "there is no operation %u", operation);
    if (!is_header_sound(&frame->header, row, FRAME_CHAINED))
        return answer_unsound(&request);
    if (!(frame->header.flags & FRAME_CHAINED))
        client->chain_broken = false;
    else if (client->chain_broken)
        return ANSWER_ERROR(&request, -ECANCELED, "an answer before this one did not fit");
    return take_condition(&request, row, &condition) == 1 ? row->handle(&request) : 0;
}

int request_handle_in_batch(struct client *client, const struct frame *frame)
{
    const struct operation_row *row = find_operation(frame->header.operation);
    struct store_condition condition;
    struct request request;

    request_init(&request, client, frame);
    request.in_batch = true;
    if (!row || !row->in_batch)
        return ANSWER_ERROR(&request, -EPROTO, "operation %u cannot be in a batch",
                            frame->header.operation);
    if (!is_header_sound(&frame->header, row, 0))
        return answer_unsound(&request);
    return take_condition(&request, row, &condition) == 1 ? row->handle(&request) : 0;
}
