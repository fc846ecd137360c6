/* Objects as calls return them, made from what the daemon answers. */
#ifndef MEMSTORE_OBJECT_H
#define MEMSTORE_OBJECT_H

#include "channel.h"
#include "common/protocol.h"
#include "common/record.h"
#include "memstore.h"

struct memstore_object {
    _Alignas(16) uint64_t size; /* so that a value behind the struct is aligned too */
    uint64_t version;
    int64_t modified;
    int64_t expires;
    uint8_t etag[ETAG_BYTES];
    char etag_text[MEMSTORE_ETAG_SIZE]; /* "": not asked for yet */
    const char *key;
    const char *content_type; /* or NULL */
    const struct memstore_metadata *metadata;
    uint32_t metadata_count;
    uint32_t key_length;
    const uint8_t *value; /* NULL: did not come along */
    size_t value_size;
};

/* An encoded object that was checked: object_info and what follows it. */
struct encoded {
    struct object_info info;
    const uint8_t *attributes; /* content type and metadata */
    size_t attributes_length;
    size_t length; /* of all of it */
    size_t pairs;  /* of metadata */
};

/* Finds the encoded object at the start of the bytes. -EPROTO if that is not one. */
int encoded_read(const uint8_t *bytes, size_t available, struct encoded *ret_encoded);

/*
 * Fills the object from an encoded one, which is taken apart where it stands: strings are moved
 * into the room of the numbers in front of them and get their NULs. So the object lives as long as
 * these bytes and `pairs`, an array for encoded->pairs.
 */
void object_decode(struct memstore_object *object, const struct encoded *encoded, uint8_t *bytes,
                   struct memstore_metadata *pairs);

/*
 * Makes an object in memory of its own, end it with memstore_object_free. The answer has no key;
 * value may be NULL. -ENOMEM; the message is set.
 */
int object_create(const struct encoded *encoded, const void *key, size_t key_length,
                  const struct part *value, struct memstore_object **ret_object);

/* The same from a record of the store. Also -EUCLEAN: the record is damaged. */
int object_from_record(const struct record *record, const void *key, size_t key_length,
                       const struct part *value, struct memstore_object **ret_object);

/*
 * What PUT, INFO, COPY and MOVE answer: an encoded object and nothing more. ret_object may be NULL:
 * then the answer is only checked. -EPROTO, -ENOMEM.
 */
int object_from_answer(const struct answer *answer, const void *key, size_t key_length,
                       struct memstore_object **ret_object);

#endif
