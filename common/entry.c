#include "entry.h"

#include "boottime.h"

#include <string.h>

static size_t type_bytes(const struct record *record)
{
    return record->type_length == NO_CONTENT_TYPE ? 0 : record->type_length;
}

static uint8_t *append(uint8_t *place, const void *data, size_t length)
{
    if (length > 0)
        memcpy(place, data, length);
    return place + length;
}

struct object_info entry_info(const struct record *record, size_t key_length)
{
    struct object_info info = {.size = record->size,
                               .version = record->version,
                               .modified = record->modified,
                               .expires = boottime_to_utc(record->expires),
                               .metadata_length = record->metadata_length,
                               .type_length = record->type_length,
                               .key_length = (uint16_t)key_length};

    memcpy(info.etag, record->etag, sizeof(info.etag));
    return info;
}

size_t entry_length(const struct record *record, size_t key_length)
{
    return sizeof(struct object_info) + key_length + type_bytes(record) + record->metadata_length;
}

uint8_t *entry_write(uint8_t *place, const struct record *record, const void *key,
                     size_t key_length)
{
    const struct object_info info = entry_info(record, key_length);

    place = append(place, &info, sizeof(info));
    place = append(place, key, key_length);
    place = append(place, record->type, type_bytes(record));
    return append(place, record->metadata, record->metadata_length);
}
