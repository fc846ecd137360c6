#include "handle.h"
#include "key.h"
#include "message.h"
#include "object.h"

#include <errno.h>

/* How many bytes a range of a value has; the offset is not beyond its end. */
static uint64_t range_size(uint64_t size, uint64_t offset, uint64_t length)
{
    return length < size - offset ? length : size - offset;
}

static int get_read(const struct answer *answer, const struct get_request *get, const void *key,
                    struct memstore_object **ret_object)
{
    const struct frame *frame = &answer->frame;
    struct encoded encoded;
    struct part value;
    int r = encoded_read(frame->body, frame->body_length, &encoded);

    if (r < 0)
        return r;
    value = (struct part){frame->body + encoded.length, frame->body_length - encoded.length};
    if (answer->bulk) {
        if (value.length > 0)
            return -EPROTO;
        value = (struct part){answer->bulk, answer->bulk_length};
    }
    if (encoded.info.key_length > 0 || get->offset > encoded.info.size ||
        value.length != range_size(encoded.info.size, get->offset, get->length))
        return -EPROTO;
    return object_create(&encoded, key, get->key_length, &value, ret_object);
}

int memstore_get(struct memstore *store, const void *key, size_t key_length, uint64_t offset,
                 uint64_t length, struct memstore_object **ret_object)
{
    const struct get_request get = {
        .key_length = (uint16_t)key_length, .offset = offset, .length = length};
    struct request request = {.operation = OPERATION_GET,
                              .parts = {{&get, sizeof(get)}, {key, key_length}},
                              .wants_room = true};
    struct answer answer;
    int r = key_check(key, key_length);

    if (r < 0)
        return r;
    r = handle_call(store, &request, &answer);
    if (r < 0)
        return r;
    if (answer.status < 0)
        r = key_fail(&answer, "get", key, key_length);
    else
        r = get_read(&answer, &get, key, ret_object);
    return handle_done(store, &answer, r);
}
