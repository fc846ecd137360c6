#include "request_private.h"

#include "metadata.h"
#include "server.h"
#include "upload.h"

#include <errno.h>
#include <string.h>

static int answer_too_large(struct request *request)
{
    return ANSWER_ERROR(request, -EFBIG, "a value of %u bytes is larger than %llu",
                        request->header->bulk_length, VALUE_MAX);
}

/* Where the value of a PUT stands: 1, or 0 if it has been answered. */
static int take_value(struct request *request, uint64_t *ret_size, const void **ret_value)
{
    const struct frame_header *header = request->header;
    uint8_t *part;
    int r;

    *ret_size = request->body.left;
    *ret_value = request->body.at;
    if (!(header->flags & FRAME_BULK))
        return 1;
    if (request->body.left > 0)
        return answer_malformed(request);
    if (header->bulk_length > VALUE_MAX)
        return answer_too_large(request);
    r = bulk_part(&request->client->bulk, header->bulk_offset, header->bulk_length, &part);
    if (r < 0)
        return ANSWER_ERROR(request, r, "the value is not inside the bulk buffer");
    *ret_size = header->bulk_length;
    *ret_value = part;
    return 1;
}

/* The size of a value that comes through a window: 1, or 0 if it has been answered. */
static int take_window(struct request *request, uint32_t window, uint64_t *ret_size)
{
    const struct frame_header *header = request->header;
    uint8_t *part;
    int r;

    if (!(header->flags & FRAME_BULK) || request->body.left > 0 || request->in_batch ||
        !request->client->connection.ring.page)
        return answer_malformed(request);
    if (header->bulk_length > VALUE_MAX)
        return answer_too_large(request);
    r = bulk_part(&request->client->bulk, header->bulk_offset, window, &part);
    if (r < 0)
        return ANSWER_ERROR(request, r, "the window is not inside the bulk buffer");
    *ret_size = header->bulk_length;
    return 1;
}

/* The content type and metadata of a PUT: 1, or 0 if it has been answered. */
static int take_attributes(struct request *request, const struct put_request *fixed,
                           struct record *record)
{
    const void *type, *metadata;
    size_t type_length = fixed->type_length == NO_CONTENT_TYPE ? 0 : fixed->type_length;

    if (!take_bytes(&request->body, type_length, &type) ||
        !take_bytes(&request->body, fixed->metadata_length, &metadata))
        return answer_malformed(request);
    if (type_length > CONTENT_TYPE_MAX)
        return ANSWER_ERROR(request, -E2BIG, "a content type of %zu bytes is longer than %d",
                            type_length, CONTENT_TYPE_MAX);
    if (fixed->metadata_length > METADATA_MAX)
        return ANSWER_ERROR(request, -E2BIG, "metadata of %u bytes is longer than %d",
                            fixed->metadata_length, METADATA_MAX);
    if (memchr(type, '\0', type_length))
        return ANSWER_ERROR(request, -EINVAL, "the content type has a NUL in it");
    if (metadata_check(metadata, fixed->metadata_length) < 0)
        return ANSWER_ERROR(request, -EINVAL,
                            "the metadata is not a run of pairs whose names ascend, without NULs");
    record->type = type;
    record->type_length = fixed->type_length;
    record->metadata = metadata;
    record->metadata_length = fixed->metadata_length;
    return 1;
}

int handle_put(struct request *request)
{
    struct record attributes = {0};
    struct store_terms terms;
    struct put_request fixed;
    struct store_key key;
    struct record record;
    const void *value = NULL;
    int r;

    if (!take(&request->body, &fixed, sizeof(fixed)) || (fixed.flags & ~PUT_EPHEMERAL) ||
        fixed.reserved != 0 || !take_key(&request->body, fixed.bucket, fixed.key_length, &key))
        return answer_malformed(request);
    r = take_attributes(request, &fixed, &attributes);
    if (r == 1 && fixed.window > 0)
        r = take_window(request, fixed.window, &attributes.size);
    else if (r == 1)
        r = take_value(request, &attributes.size, &value);
    if (r != 1)
        return r;
    if (fixed.key_length > KEY_MAX)
        return answer_key_too_long(request, fixed.key_length);
    if (!ttl_is_sound(fixed.ttl))
        return answer_no_lifetime(request, fixed.ttl);
    terms = (struct store_terms){.ttl = fixed.ttl, .condition = request->condition};
    r = fixed.flags & PUT_EPHEMERAL ? take_owner(request, 1, &terms.owner) : 1;
    if (r != 1)
        return r;
    if ((attributes.size > UPLOAD_MIN && !request->in_batch) || fixed.window > 0) {
        r = upload_start(request->client, request->header, fixed.window, &key, &attributes, &terms);
        return r < 0 ? answer_failure(request, r, fixed.bucket) : 0;
    }
    request->client->moved += attributes.size;
    r = store_put(request->store, &key, &attributes, &terms, value, &record);
    return r < 0 ? answer_failure(request, r, fixed.bucket) : answer_info(request, &record);
}
