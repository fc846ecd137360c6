#include "object.h"

#include "common/metadata.h"
#include "message.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* What encoded strings become, in place, never outgrows what they were: the etag in hex and two
 * NULs take the place of the numbers, and two NULs that of the lengths of a pair. */
static_assert(MEMSTORE_ETAG_SIZE + 2 <= sizeof(struct object_info), "object_decode");
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
    *ret_encoded =
        (struct encoded){.bytes = bytes, .length = length, .pairs = (size_t)pairs, .info = info};
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

static const char *etag_write(uint8_t **place, const uint8_t etag[16])
{
    static const char digits[] = "0123456789abcdef";
    char *text = (char *)*place;

    for (size_t i = 0; i < 16; i++) {
        text[2 * i] = digits[etag[i] >> 4];
        text[2 * i + 1] = digits[etag[i] & 15];
    }
    text[32] = '\0';
    *place += MEMSTORE_ETAG_SIZE;
    return text;
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
    object->etag = etag_write(&place, info->etag);
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

/* Copies an encoded object, with a key put in. */
static void encoded_copy(uint8_t *place, const struct encoded *encoded, const void *key,
                         size_t key_length)
{
    const size_t head = sizeof(encoded->info);

    memcpy(place, encoded->bytes, head);
    if (key_length > 0)
        memcpy(place + head, key, key_length);
    memcpy(place + head + key_length, encoded->bytes + head, encoded->length - head);
}

/* One allocation: object, pairs, value and its NUL, the strings. */
int object_create(const struct encoded *encoded, const void *key, size_t key_length,
                  const struct part *value, struct memstore_object **ret_object)
{
    struct encoded with_key = *encoded;
    size_t head = (sizeof(struct memstore_object) + 15) / 16 * 16;
    size_t pairs = encoded->pairs * sizeof(struct memstore_metadata);
    size_t value_size = value ? value->length + 1 : 0;
    uint8_t *memory = malloc(head + pairs + value_size + encoded->length + key_length);
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

const char *memstore_object_etag(const struct memstore_object *object)
{
    return object->etag;
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
