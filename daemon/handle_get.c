#include "request_private.h"

#include "entry.h"
#include "guard.h"
#include "server.h"

#include <errno.h>

/* Bytes that a request may move in a turn with others. */
#define LARGE (1U << 20)

/* Answers with a part of a value: in the frame if it is small, or there is no other place. */
static int answer_value(struct request *request, const struct record *record, const uint8_t *value,
                        uint64_t length, uint8_t *room)
{
    const struct frame_header *header = request->header;
    size_t info_length = entry_length(record, 0);
    bool in_bulk = room && length > INLINE_MAX && length <= header->bulk_length;
    struct frame_header extra = {0};
    uint8_t *body;

    if (!in_bulk && length > BODY_MAX - info_length) {
        extra.status = -EMSGSIZE;
        extra.bulk_length = (uint32_t)length;
        client_answer(request->client, header, &extra, 0);
        return 0;
    }
    if (in_bulk) {
        extra.flags = FRAME_BULK;
        extra.bulk_offset = header->bulk_offset;
        extra.bulk_length = (uint32_t)length;
        if (guard_copy(room, value, length) < 0)
            return answer_unreadable(request);
        bulk_forget(&request->client->bulk, header->bulk_offset, length);
    }
    body = client_answer(request->client, header, &extra, info_length + (in_bulk ? 0 : length));
    if (!body)
        return 0;
    body = entry_write(body, record, NULL, 0);
    if (!in_bulk)
        append(body, value, length);
    return 0;
}

int take_room(struct request *request, uint8_t **ret_room)
{
    const struct frame_header *header = request->header;
    int r;

    *ret_room = NULL;
    if (!(header->flags & FRAME_BULK))
        return 1;
    r = bulk_part(&request->client->bulk, header->bulk_offset, header->bulk_length, ret_room);
    if (r < 0)
        return ANSWER_ERROR(request, r, "the room for the answer is not inside the bulk buffer");
    return 1;
}

int handle_get(struct request *request)
{
    struct get_request fixed;
    struct store_key key;
    struct record record;
    const uint8_t *value;
    uint64_t length;
    uint8_t *room;
    int r;

    if (!take(&request->body, &fixed, sizeof(fixed)) || fixed.reserved != 0 ||
        !take_key(&request->body, fixed.bucket, fixed.key_length, &key) || request->body.left > 0)
        return answer_malformed(request);
    if (fixed.key_length > KEY_MAX)
        return answer_key_too_long(request, fixed.key_length);
    r = take_room(request, &room);
    if (r != 1)
        return r;
    r = store_get(request->store, &key, &record, &value);
    if (r == 0)
        store_use(request->store, &key);
    if (r == 0 && request->condition)
        r = condition_decide(request->condition, &record);
    if (r == -EALREADY) /* its client has it, and uses it */
        store_use(request->store, &key);
    if (r < 0) {
        statistics_note_read(request->client->server, fixed.bucket, r);
        return answer_failure(request, r, fixed.bucket);
    }
    if (fixed.offset > record.size)
        return ANSWER_ERROR(request, -ERANGE,
                            "the range begins at %llu, beyond the end of a value of %llu bytes",
                            (unsigned long long)fixed.offset, (unsigned long long)record.size);
    length = record.size - fixed.offset;
    if (fixed.length < length)
        length = fixed.length;
    if (length > BATCH_ANSWERS_MAX && request->in_batch)
        return ANSWER_ERROR(request, -E2BIG, "the answers of a batch are too many bytes");
    if (length > LARGE && !request->in_batch && request_must_wait(request->client))
        return -EINPROGRESS;
    request->client->moved += length;
    statistics_note_read(request->client->server, fixed.bucket, 0);
    return answer_value(request, &record, value + fixed.offset, length, room);
}
