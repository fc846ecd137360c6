/* Entries: how an object's info, key, content type and metadata stand in answers (protocol.h). */
#ifndef MEMSTORE_ENTRY_H
#define MEMSTORE_ENTRY_H

#include "protocol.h"
#include "record.h"

/* The fixed part. */
struct object_info entry_info(const struct record *record, size_t key_length);

/* Bytes of an entry. */
size_t entry_length(const struct record *record, size_t key_length);

/* Writes it; key may be NULL if its length is 0. Returns the end. */
uint8_t *entry_write(uint8_t *place, const struct record *record, const void *key,
                     size_t key_length);

#endif
