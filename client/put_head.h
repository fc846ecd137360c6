/* The head of a PUT: all that goes with the value, encoded as protocol.h says. */
#ifndef MEMSTORE_PUT_HEAD_H
#define MEMSTORE_PUT_HEAD_H

#include "common/protocol.h"
#include "memstore.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Checks a value. -EFBIG, -EINVAL (NULL and a size); the message is set. */
int value_check(const void *value, size_t size);

/* Checks a lifetime. -EINVAL; the message is set. */
int ttl_check(int64_t ttl);

/* What a head is made from. It points at the caller's key and options. */
struct put_plan {
    struct put_request fixed;
    const void *key;
    struct memstore_put_options options;
    struct condition condition;
    bool has_condition;
    size_t length; /* of the head, without the condition */
};

/* Checks everything. -ENAMETOOLONG, -E2BIG, -EINVAL; the message is set. */
int put_plan_init(struct put_plan *plan, const void *key, size_t key_length,
                  const struct memstore_put_options *options);

/* What is ephemeral is put on a connection of its own (handle.h): not by those who use another one.
 * -EINVAL; the message is set. */
int ephemeral_refuse(bool is_ephemeral);

/* Writes the head to a place of plan->length bytes. -EINVAL (a metadata name twice), -ENOMEM; the
 * message is set. */
int put_plan_write(const struct put_plan *plan, uint8_t *place);

struct put_head {
    uint8_t *bytes; /* put_request, key, content type, metadata */
    size_t length;
    bool is_ephemeral;
    struct condition condition;
    bool has_condition;
};

/* Both steps, in memory of its own. */
int put_head_init(struct put_head *head, const void *key, size_t key_length,
                  const struct memstore_put_options *options);

void put_head_finish(struct put_head *head);

/* NULL: none. */
static inline const struct condition *put_head_condition(const struct put_head *head)
{
    return head->has_condition ? &head->condition : NULL;
}

#endif
