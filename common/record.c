#include "record.h"

#include "protocol.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

/* What follows the head, in this order. */
#define RECORD_EXPIRES 0x01  /* int64_t */
#define RECORD_OWNER 0x02    /* uint32_t */
#define RECORD_BLOB 0x04     /* uint64_t, and uint32_t: the value's size; no value then */
#define RECORD_METADATA 0x08 /* uint32_t length, and the block behind the content type */
#define RECORD_TYPE 0x10     /* uint16_t length, and the content type */

struct record_head {
    uint64_t version;
    uint64_t modified_and_flags; /* the flags in the lowest byte */
    uint8_t etag[ETAG_BYTES];
};
static_assert(sizeof(struct record_head) == 32, "small, so that small objects are");
static_assert(VALUE_MAX <= UINT32_MAX, "a size fits its field");
static_assert(sizeof(struct record_head) + 30 + CONTENT_TYPE_MAX + METADATA_MAX +
                      RECORD_VALUE_MAX <=
                  RECORD_MAX,
              "RECORD_MAX");

#define FLAGS_BITS 8

static uint8_t flags_of(const struct record *record)
{
    return (record->expires ? RECORD_EXPIRES : 0) | (record->owner ? RECORD_OWNER : 0) |
           (record->blob ? RECORD_BLOB : 0) | (record->metadata_length ? RECORD_METADATA : 0) |
           (record->type_length != NO_CONTENT_TYPE ? RECORD_TYPE : 0);
}

size_t record_length(const struct record *record)
{
    bool has_type = record->type_length != NO_CONTENT_TYPE;

    return sizeof(struct record_head) + (record->expires ? sizeof(int64_t) : 0) +
           (record->owner ? sizeof(uint32_t) : 0) +
           (record->blob ? sizeof(uint64_t) + sizeof(uint32_t) : record->size) +
           (record->metadata_length ? sizeof(uint32_t) + record->metadata_length : 0) +
           (has_type ? sizeof(uint16_t) + record->type_length : 0);
}

static uint8_t *append(uint8_t *place, const void *data, size_t length)
{
    if (length > 0)
        memcpy(place, data, length);
    return place + length;
}

uint8_t *record_write(const struct record *record, uint8_t *place)
{
    uint8_t flags = flags_of(record);
    struct record_head head = {
        .version = record->version,
        .modified_and_flags = (uint64_t)record->modified << FLAGS_BITS | flags,
    };
    uint32_t size = (uint32_t)record->size;

    memcpy(head.etag, record->etag, ETAG_BYTES);
    place = append(place, &head, sizeof(head));
    if (flags & RECORD_EXPIRES)
        place = append(place, &record->expires, sizeof(record->expires));
    if (flags & RECORD_OWNER)
        place = append(place, &record->owner, sizeof(record->owner));
    if (flags & RECORD_BLOB) {
        place = append(place, &record->blob, sizeof(record->blob));
        place = append(place, &size, sizeof(size));
    }
    if (flags & RECORD_METADATA)
        place = append(place, &record->metadata_length, sizeof(record->metadata_length));
    if (flags & RECORD_TYPE) {
        place = append(place, &record->type_length, sizeof(record->type_length));
        place = append(place, record->type, record->type_length);
    }
    return append(place, record->metadata, record->metadata_length);
}

/* What is left of a record that is read. */
struct rest {
    const uint8_t *at;
    size_t length;
};

/* Copies a field out, if there are so many bytes left. */
static bool take(struct rest *rest, void *to, size_t size)
{
    if (rest->length < size)
        return false;
    memcpy(to, rest->at, size);
    rest->at += size;
    rest->length -= size;
    return true;
}

/* The same for bytes that stay where they are. */
static bool take_bytes(struct rest *rest, size_t length, const uint8_t **ret_bytes)
{
    if (rest->length < length)
        return false;
    *ret_bytes = rest->at;
    rest->at += length;
    rest->length -= length;
    return true;
}

/* The fields of a fixed length behind the head. */
static bool take_fields(struct rest *rest, uint8_t flags, struct record *record)
{
    uint32_t size = 0;

    if ((flags & RECORD_EXPIRES) && !take(rest, &record->expires, sizeof(record->expires)))
        return false;
    if ((flags & RECORD_OWNER) && !take(rest, &record->owner, sizeof(record->owner)))
        return false;
    if ((flags & RECORD_BLOB) &&
        (!take(rest, &record->blob, sizeof(record->blob)) || !take(rest, &size, sizeof(size))))
        return false;
    record->size = size;
    if ((flags & RECORD_METADATA) &&
        !take(rest, &record->metadata_length, sizeof(record->metadata_length)))
        return false;
    record->type_length = NO_CONTENT_TYPE;
    return !(flags & RECORD_TYPE) || take(rest, &record->type_length, sizeof(record->type_length));
}

int record_read(const void *data, size_t length, struct record *ret_record)
{
    struct rest rest = {.at = data, .length = length};
    struct record record = {0};
    struct record_head head;
    const uint8_t *type;
    size_t type_length;
    uint8_t flags;

    if (length > RECORD_MAX || !take(&rest, &head, sizeof(head)))
        return -EUCLEAN;
    flags = (uint8_t)head.modified_and_flags;
    if (!take_fields(&rest, flags, &record))
        return -EUCLEAN;
    type_length = flags & RECORD_TYPE ? record.type_length : 0;
    if (!take_bytes(&rest, type_length, &type) ||
        !take_bytes(&rest, record.metadata_length, &record.metadata))
        return -EUCLEAN;
    record.version = head.version;
    record.modified = (int64_t)head.modified_and_flags >> FLAGS_BITS;
    memcpy(record.etag, head.etag, ETAG_BYTES);
    record.type = (const char *)type;
    if (flags & RECORD_BLOB) {
        if (rest.length > 0)
            return -EUCLEAN;
    } else {
        record.size = rest.length;
        record.value = rest.at;
    }
    *ret_record = record;
    return 0;
}
