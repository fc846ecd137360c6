#include "get.h"

#include "direct.h"
#include "key.h"
#include "message.h"
#include "object.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Copies that take longer than a commit does, bytes. */
#define LONG_COPY (256U << 10)

/* How many bytes a range of a value has; the offset is not beyond its end. */
static uint64_t range_size(uint64_t size, uint64_t offset, uint64_t length)
{
    return length < size - offset ? length : size - offset;
}

static int get_read(const struct answer *answer, const struct get *get,
                    struct memstore_object **ret_object)
{
    const struct get_request *fixed = &get->fixed;
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
    if (encoded.info.key_length > 0 || fixed->offset > encoded.info.size ||
        value.length != range_size(encoded.info.size, fixed->offset, fixed->length))
        return -EPROTO;
    return object_create(&encoded, get->key, fixed->key_length, &value, ret_object);
}

static int range_fail(const struct get *get, uint64_t size)
{
    char text[QUOTED_SIZE];

    return message_fail(
        -ERANGE,
        "cannot get %s: the range begins at %llu, beyond the end of a value of %llu "
        "bytes",
        quote(text, get->key, get->fixed.key_length), (unsigned long long)get->fixed.offset,
        (unsigned long long)size);
}

/* Takes content type and metadata out of the snapshot; *ret_attributes holds them. */
static int record_keep(const struct record *record, struct record *ret_record,
                       uint8_t **ret_attributes)
{
    size_t type_length = record->type_length == NO_CONTENT_TYPE ? 0 : record->type_length;
    size_t length = type_length + record->metadata_length;
    uint8_t *attributes = malloc(length + 1);

    if (!attributes)
        return out_of_memory();
    if (length > 0)
        memcpy(attributes, record->type, length);
    *ret_record = *record;
    ret_record->type = (const char *)attributes;
    ret_record->metadata = attributes + type_length;
    *ret_attributes = attributes;
    return 0;
}

/* Copies a part of a value out of the store. A long copy is made under a pin, so that its
 * snapshot does not keep memory from being used again meanwhile. */
static int copy_value(struct direct_read *read, const struct record *record, const struct get *get,
                      struct memstore_object **ret_object)
{
    const struct get_request *fixed = &get->fixed;
    struct part part = {.length = range_size(record->size, fixed->offset, fixed->length)};
    struct pin pin = {0};
    const uint8_t *value;
    struct record kept;
    uint8_t *attributes = NULL;
    int r = reading_value(&read->reading, record, &value);

    if (r < 0)
        return r;
    part.bytes = value + fixed->offset;
    if (part.length < LONG_COPY || direct_pin(read, record->blob, &pin) < 0)
        return object_from_record(record, get->key, fixed->key_length, &part, ret_object);
    r = record_keep(record, &kept, &attributes);
    if (r == 0) {
        direct_end_snapshot(read);
        r = object_from_record(&kept, get->key, fixed->key_length, &part, ret_object);
    }
    free(attributes);
    direct_unpin(&pin);
    return r;
}

int get_directly(struct memstore *store, const struct get *get, struct memstore_object **ret_object)
{
    const size_t key_length = get->fixed.key_length;
    struct direct_read *read;
    struct record record;
    int r = direct_begin(store, &read);

    if (r < 0)
        return r;
    r = direct_find(read, get->key, key_length, &record);
    if (r == 0)
        direct_use(read, get->key, key_length, false);
    if (r == 0 && get->known != 0 && record.version == get->known)
        r = key_unchanged(get->key, key_length, get->known);
    else if (r == 0 && get->fixed.offset > record.size)
        r = range_fail(get, record.size);
    else if (r == 0)
        r = copy_value(read, &record, get, ret_object);
    direct_end(store, read);
    return r == -ENOENT ? key_missing(get->key, key_length) : r;
}

int get_by_asking(struct memstore *store, const struct get *get,
                  struct memstore_object **ret_object)
{
    const struct condition newer = {.kinds = CONDITION_NOT_VERSION, .version = get->known};
    const size_t key_length = get->fixed.key_length;
    struct request request = {.operation = OPERATION_GET,
                              .condition = get->known != 0 ? &newer : NULL,
                              .parts = {{&get->fixed, sizeof(get->fixed)}, {get->key, key_length}},
                              .wants_room = true};
    struct answer answer;
    int r = handle_call(store, &request, &answer);

    if (r < 0)
        return r;
    if (answer.status < 0)
        r = key_fail(&answer, "get", get->key, key_length);
    else
        r = get_read(&answer, get, ret_object);
    return handle_done(store, &answer, r);
}

static int get_either_way(struct memstore *store, const struct get *get,
                          struct memstore_object **ret_object)
{
    int r = get_directly(store, get, ret_object);

    return direct_is_final(r) ? r : get_by_asking(store, get, ret_object);
}

int memstore_get(struct memstore *store, const void *key, size_t key_length, uint64_t offset,
                 uint64_t length, struct memstore_object **ret_object)
{
    const struct get part = {
        .fixed = {.key_length = (uint16_t)key_length, .offset = offset, .length = length},
        .key = key};
    int r = key_check(key, key_length);

    return r < 0 ? r : get_either_way(store, &part, ret_object);
}

int memstore_get_newer(struct memstore *store, const void *key, size_t key_length, uint64_t version,
                       struct memstore_object **ret_object)
{
    const struct get newer = {
        .fixed = {.key_length = (uint16_t)key_length, .length = MEMSTORE_TO_END},
        .key = key,
        .known = version};
    int r = key_check(key, key_length);

    return r < 0 ? r : get_either_way(store, &newer, ret_object);
}
