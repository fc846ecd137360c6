#include "object.h"

#include "common/boottime.h"
#include "common/metadata.h"
#include "message.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* What encoded strings become, in place, never outgrows what they were: two NULs take the place of
 * the numbers, and two NULs that of the lengths of a pair. */
static_assert(2 <= sizeof(struct object_info), "object_decode");
static_assert(sizeof(struct metadata_entry) >= 2, "object_decode");
static_assert(MEMSTORE_KEY_MAX == KEY_MAX && MEMSTORE_VALUE_MAX == VALUE_MAX &&
                  MEMSTORE_CONTENT_TYPE_MAX == CONTENT_TYPE_MAX &&
                  MEMSTORE_METADATA_MAX == METADATA_MAX,
              "memstore.h and protocol.h give the same limits");

static size_t encoded_type_length(const struct object_info *info)
{
    return info->type_length == NO_CONTENT_TYPE ? 0 : info->type_length;
}

int encoded_read(const uint8_t *bytes, size_t available, struct encoded *ret_encoded)
{
    struct object_info info;
    size_t before, length;
    int pairs;

    if (available < sizeof(info))
        return -EPROTO;
    memcpy(&info, bytes, sizeof(info));
    if (info.size > VALUE_MAX || info.key_length > KEY_MAX || info.metadata_length > METADATA_MAX ||
        encoded_type_length(&info) > CONTENT_TYPE_MAX)
        return -EPROTO;
    before = sizeof(info) + info.key_length + encoded_type_length(&info);
    length = before + info.metadata_length;
    if (length > available)
        return -EPROTO;
    pairs = metadata_check(bytes + before, info.metadata_length);
    if (pairs < 0)
        return -EPROTO;
    *ret_encoded = (struct encoded){.info = info,
                                    .attributes = bytes + sizeof(info) + info.key_length,
                                    .attributes_length = length - sizeof(info) - info.key_length,
                                    .length = length,
                                    .pairs = (size_t)pairs};
    return 0;
}

/* Moves a string to *place, which is not behind it, ends it with a NUL, and *place behind that. */
static const char *string_move(uint8_t **place, const uint8_t *string, size_t length)
{
    char *moved = (char *)*place;

    memmove(moved, string, length);
    moved[length] = '\0';
    *place += length + 1;
    return moved;
}

void object_decode(struct memstore_object *object, const struct encoded *encoded, uint8_t *bytes,
                   struct memstore_metadata *pairs)
{
    const struct object_info *info = &encoded->info;
    const uint8_t *rest = bytes + sizeof(*info);
    size_t metadata_length = info->metadata_length;
    struct metadata_pair pair;
    uint8_t *place = bytes;

    *object = (struct memstore_object){.size = info->size,
                                       .version = info->version,
                                       .modified = info->modified,
                                       .expires = info->expires,
                                       .metadata = pairs,
                                       .metadata_count = (uint32_t)encoded->pairs,
                                       .key_length = info->key_length};
    memcpy(object->etag, info->etag, ETAG_BYTES);
    object->key = string_move(&place, rest, info->key_length);
    rest += info->key_length;
    if (info->type_length != NO_CONTENT_TYPE)
        object->content_type = string_move(&place, rest, info->type_length);
    rest += encoded_type_length(info);
    for (; metadata_next(&rest, &metadata_length, &pair) > 0; pairs++) {
        pairs->name = string_move(&place, (const uint8_t *)pair.name, pair.name_length);
        pairs->value = string_move(&place, (const uint8_t *)pair.value, pair.value_length);
    }
}

/* Lays an encoded object out with a key put in. Its numbers are not needed any more. */
static void encoded_copy(uint8_t *place, const struct encoded *encoded, const void *key,
                         size_t key_length)
{
    place += sizeof(encoded->info);
    if (key_length > 0)
        memcpy(place, key, key_length);
    if (encoded->attributes_length > 0)
        memcpy(place + key_length, encoded->attributes, encoded->attributes_length);
}

/* Bytes in front of the pairs, which are 16 each: so the value, behind them, is aligned to 16. */
#define HEAD ((sizeof(struct memstore_object) + 15) / 16 * 16)
static_assert(sizeof(struct memstore_metadata) % 16 == 0, "a view's value is aligned");

/* One allocation: object, pairs, value and its NUL, the strings. */
int object_create(const struct encoded *encoded, const void *key, size_t key_length,
                  const struct part *value, struct memstore_object **ret_object)
{
    struct encoded with_key = *encoded;
    const size_t head = HEAD;
    size_t pairs = encoded->pairs * sizeof(struct memstore_metadata);
    size_t value_size = value ? value->length + 1 : 0;
    uint8_t *memory = malloc(head + pairs + value_size + sizeof(encoded->info) + key_length +
                             encoded->attributes_length);
    struct memstore_object *object = (struct memstore_object *)(void *)memory;
    uint8_t *strings;

    if (!memory)
        return message_fail(-ENOMEM, "out of memory for an object of %zu bytes", value_size);
    strings = memory + head + pairs + value_size;
    encoded_copy(strings, encoded, key, key_length);
    with_key.info.key_length = (uint16_t)key_length;
    object_decode(object, &with_key, strings, (struct memstore_metadata *)(void *)(memory + head));
    if (value) {
        uint8_t *place = memory + head + pairs;

        if (value->length > 0)
            memcpy(place, value->bytes, value->length);
        place[value->length] = '\0';
        object->value = place;
        object->value_size = value->length;
    }
    *ret_object = object;
    return 0;
}

/* Copies a string with a NUL behind it to *place, and *place behind that. */
static const char *string_copy(uint8_t **place, const void *string, size_t length)
{
    char *copy = (char *)*place;

    if (length > 0)
        memcpy(copy, string, length);
    copy[length] = '\0';
    *place += length + 1;
    return copy;
}

static void pairs_copy(uint8_t *place, const struct record *record, struct memstore_metadata *pairs)
{
    const uint8_t *metadata = record->metadata;
    size_t length = record->metadata_length;
    struct metadata_pair pair;

    for (; metadata_next(&metadata, &length, &pair) > 0; pairs++) {
        pairs->name = string_copy(&place, pair.name, pair.name_length);
        pairs->value = string_copy(&place, pair.value, pair.value_length);
    }
}

/* Straight from the store, as direct reads do it: one allocation, each byte copied once. */
int object_from_record(const struct record *record, const void *key, size_t key_length,
                       const struct part *value, struct memstore_object **ret_object)
{
    size_t type_length = record->type_length == NO_CONTENT_TYPE ? 0 : record->type_length;
    int count =
        record->metadata_length > 0 ? metadata_check(record->metadata, record->metadata_length) : 0;
    size_t pairs = count > 0 ? (size_t)count * sizeof(struct memstore_metadata) : 0;
    struct memstore_metadata *first;
    struct memstore_object *object;
    uint8_t *place;

    if (count < 0)
        return -EUCLEAN;
    object = malloc(HEAD + pairs + (value ? value->length + 1 : 0) + key_length + 1 + type_length +
                    1 + record->metadata_length);
    if (!object) {
        out_of_memory();
        return -ENOMEM;
    }
    place = (uint8_t *)object + HEAD;
    first = (struct memstore_metadata *)(void *)place;
    place += pairs;
    *object = (struct memstore_object){.size = record->size,
                                       .version = record->version,
                                       .modified = record->modified,
                                       .expires = boottime_to_utc(record->expires),
                                       .metadata = first,
                                       .metadata_count = (uint32_t)count,
                                       .key_length = (uint32_t)key_length};
    memcpy(object->etag, record->etag, ETAG_BYTES);
    if (value) {
        object->value = place;
        object->value_size = value->length;
        string_copy(&place, value->bytes, value->length);
    }
    object->key = string_copy(&place, key, key_length);
    if (record->type_length != NO_CONTENT_TYPE)
        object->content_type = string_copy(&place, record->type, type_length);
    pairs_copy(place, record, first);
    *ret_object = object;
    return 0;
}

int object_from_answer(const struct answer *answer, const void *key, size_t key_length,
                       struct memstore_object **ret_object)
{
    struct encoded encoded;
    int r = encoded_read(answer->frame.body, answer->frame.body_length, &encoded);

    if (r < 0)
        return r;
    if (encoded.length != answer->frame.body_length || encoded.info.key_length > 0)
        return -EPROTO;
    return ret_object ? object_create(&encoded, key, key_length, NULL, ret_object) : 0;
}

const void *memstore_object_value(const struct memstore_object *object, size_t *ret_size)
{
    if (ret_size)
        *ret_size = object->value_size;
    return object->value;
}

const void *memstore_object_key(const struct memstore_object *object, size_t *ret_length)
{
    if (ret_length)
        *ret_length = object->key_length;
    return object->key;
}

uint64_t memstore_object_size(const struct memstore_object *object)
{
    return object->size;
}

uint64_t memstore_object_version(const struct memstore_object *object)
{
    return object->version;
}

int64_t memstore_object_modified(const struct memstore_object *object)
{
    return object->modified;
}

int64_t memstore_object_expires(const struct memstore_object *object)
{
    return object->expires;
}

/* Few ask for it, so it is written out when they do. An object is one thread's at a time. */
const char *memstore_object_etag(const struct memstore_object *object)
{
    static const char digits[] = "0123456789abcdef";
    char *text = ((struct memstore_object *)(uintptr_t)object)->etag_text;

    if (text[0])
        return text;
    for (size_t i = 0; i < ETAG_BYTES; i++) {
        text[2 * i] = digits[object->etag[i] >> 4];
        text[2 * i + 1] = digits[object->etag[i] & 15];
    }
    text[MEMSTORE_ETAG_SIZE - 1] = '\0';
    return text;
}

const char *memstore_object_content_type(const struct memstore_object *object)
{
    return object->content_type;
}

size_t memstore_object_metadata_count(const struct memstore_object *object)
{
    return object->metadata_count;
}

const struct memstore_metadata *memstore_object_metadata_at(const struct memstore_object *object,
                                                            size_t index)
{
    return index < object->metadata_count ? &object->metadata[index] : NULL;
}

const char *memstore_object_metadata(const struct memstore_object *object, const char *name)
{
    for (size_t i = 0; i < object->metadata_count; i++)
        if (strcmp(object->metadata[i].name, name) == 0)
            return object->metadata[i].value;
    return NULL;
}

void memstore_object_free(struct memstore_object *object)
{
    free(object);
}
