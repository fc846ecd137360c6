/* The head of a PUT: all that goes with the value, encoded as protocol.h says. */
#ifndef MEMSTORE_PUT_HEAD_H
#define MEMSTORE_PUT_HEAD_H

#include "memstore.h"

#include <stddef.h>
#include <stdint.h>

struct put_head {
    uint8_t *bytes; /* put_request, key, content type, metadata */
    size_t length;
};

/* Checks everything. -ENAMETOOLONG, -E2BIG, -EINVAL, -ENOMEM; the message is set. */
int put_head_init(struct put_head *head, const void *key, size_t key_length,
                  const struct memstore_put_options *options);

void put_head_finish(struct put_head *head);

#endif
