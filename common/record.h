/*
 * The stored form of an object: one row of the objects table. A fixed head, then only what the
 * object has: expiry time, owner, blob id and size, metadata length, content type, metadata, value.
 * A small value stands in the record itself, a larger one is a row of the blobs table.
 */
#ifndef MEMSTORE_RECORD_H
#define MEMSTORE_RECORD_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The largest value that stands in its record. A row of more bytes than this never shares a page
 * with others, so each blob stands by itself, whole and in one place. */
#define RECORD_VALUE_MAX 2047

/* The longest record: head, content type, metadata and value at their limits. */
#define RECORD_MAX 40000

#define ETAG_BYTES 16

/* A row's key: this, big-endian, and the object's key. The bit puts the objects behind the names of
 * the other databases, to the end: rows that come in ascending order fill their pages there. */
#define ROW_BUCKET(bucket) (0x80000000U | (bucket))

/* What tells the form of a store: the row of a bucket that there never is and of the empty key. A
 * store of another form is left alone. */
#define STORE_HEAD_BUCKET 0
#define STORE_FORMAT 8
#define STORE_ID_BYTES 16

struct store_head {
    uint32_t format; /* STORE_FORMAT */
    uint32_t reserved;
    uint8_t id[STORE_ID_BYTES]; /* names this store */
};
static_assert(sizeof(struct store_head) == 24, "store_head");

/* An object, with pointers into where it was read from. */
struct record {
    uint64_t size; /* of the value */
    uint64_t version;
    int64_t modified; /* microseconds since 1970 */
    int64_t expires;  /* microseconds of boottime.h; 0: never */
    uint32_t owner;   /* the client that it ends with; 0: none */
    uint64_t blob;    /* the row that holds the value; 0: it stands in the record */
    uint8_t etag[ETAG_BYTES];
    const char *type;     /* in what was read: right in front of the metadata, even if it is none */
    uint16_t type_length; /* or NO_CONTENT_TYPE */
    uint32_t metadata_length;
    const uint8_t *metadata;
    const uint8_t *value; /* NULL if it is a blob */
};

/* Bytes that the record takes, its own value included. */
size_t record_length(const struct record *record);

/* Writes all but the value to `place` (record_length bytes). Returns where the value belongs. */
uint8_t *record_write(const struct record *record, uint8_t *place);

/* Reads a stored record. -EUCLEAN if it is none: the store is damaged. */
int record_read(const void *data, size_t length, struct record *ret_record);

/* Whether its lifetime is over, at a time of boottime.h. Its row may still be there: to whoever
 * finds it, there is no such object. */
static inline bool record_is_over(const struct record *record, int64_t now)
{
    return record->expires != 0 && record->expires <= now;
}

#endif
