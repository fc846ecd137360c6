#include "record.h"

#include "protocol.h"

#include <errno.h>
#include <string.h>

/* What follows the head, in this order. */
#define RECORD_EXPIRES 0x0001  /* int64_t */
#define RECORD_BLOB 0x0002     /* uint64_t; no value then */
#define RECORD_METADATA 0x0004 /* uint32_t length, and the block behind the content type */

struct record_head {
    uint32_t size;
    uint16_t flags;
    uint16_t type_length; /* or NO_CONTENT_TYPE */
    uint64_t version;
    int64_t modified;
    uint8_t etag[ETAG_BYTES];
};
static_assert(sizeof(struct record_head) == 40, "small, so that small objects are");
static_assert(VALUE_MAX <= UINT32_MAX, "a size fits the head");
static_assert(sizeof(struct record_head) + 20 + CONTENT_TYPE_MAX + METADATA_MAX +
                      RECORD_VALUE_MAX <=
                  RECORD_MAX,
              "RECORD_MAX");

static size_t type_bytes(uint16_t type_length)
{
    return type_length == NO_CONTENT_TYPE ? 0 : type_length;
}

size_t record_length(const struct record *record)
{
    return sizeof(struct record_head) + (record->expires ? sizeof(int64_t) : 0) +
           (record->blob ? sizeof(uint64_t) : record->size) +
           (record->metadata_length ? sizeof(uint32_t) + record->metadata_length : 0) +
           type_bytes(record->type_length);
}

static uint8_t *append(uint8_t *place, const void *data, size_t length)
{
    if (length > 0)
        memcpy(place, data, length);
    return place + length;
}

uint8_t *record_write(const struct record *record, uint8_t *place)
{
    struct record_head head = {
        .size = (uint32_t)record->size,
        .flags =
            (uint16_t)((record->expires ? RECORD_EXPIRES : 0) | (record->blob ? RECORD_BLOB : 0) |
                       (record->metadata_length ? RECORD_METADATA : 0)),
        .type_length = record->type_length,
        .version = record->version,
        .modified = record->modified,
    };

    memcpy(head.etag, record->etag, ETAG_BYTES);
    place = append(place, &head, sizeof(head));
    if (record->expires)
        place = append(place, &record->expires, sizeof(record->expires));
    if (record->blob)
        place = append(place, &record->blob, sizeof(record->blob));
    if (record->metadata_length)
        place = append(place, &record->metadata_length, sizeof(record->metadata_length));
    place = append(place, record->type, type_bytes(record->type_length));
    return append(place, record->metadata, record->metadata_length);
}

/* Copies a field out, if there are so many bytes left. */
static int take(const uint8_t **data, size_t *length, void *to, size_t size)
{
    if (*length < size)
        return -EUCLEAN;
    memcpy(to, *data, size);
    *data += size;
    *length -= size;
    return 0;
}

int record_read(const void *data, size_t length, struct record *ret_record)
{
    const uint8_t *at = data;
    struct record_head head;
    struct record record = {0};
    size_t type_length;

    if (take(&at, &length, &head, sizeof(head)) < 0)
        return -EUCLEAN;
    if ((head.flags & RECORD_EXPIRES) &&
        take(&at, &length, &record.expires, sizeof(record.expires)) < 0)
        return -EUCLEAN;
    if ((head.flags & RECORD_BLOB) && take(&at, &length, &record.blob, sizeof(record.blob)) < 0)
        return -EUCLEAN;
    if ((head.flags & RECORD_METADATA) &&
        take(&at, &length, &record.metadata_length, sizeof(record.metadata_length)) < 0)
        return -EUCLEAN;
    type_length = type_bytes(head.type_length);
    if (length < type_length || length - type_length < record.metadata_length)
        return -EUCLEAN;
    length -= type_length + record.metadata_length;
    if (length != (record.blob ? 0 : head.size))
        return -EUCLEAN;
    record.size = head.size;
    record.version = head.version;
    record.modified = head.modified;
    memcpy(record.etag, head.etag, ETAG_BYTES);
    record.type_length = head.type_length;
    record.type = (const char *)at;
    record.metadata = at + type_length;
    record.value = record.blob ? NULL : record.metadata + record.metadata_length;
    *ret_record = record;
    return 0;
}
