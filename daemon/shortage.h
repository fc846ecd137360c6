/* Where memory is short: a bucket that evicts makes room for what is put into it. */
#ifndef MEMSTORED_SHORTAGE_H
#define MEMSTORED_SHORTAGE_H

#include <stdbool.h>
#include <stdint.h>

struct client;

/*
 * The client's request, of so many bytes, has found no memory: evicts from its bucket for the next
 * try. Whether there is one: not for ever, and not where the bucket does not evict.
 */
bool shortage_ease(struct client *client, uint32_t bucket, uint64_t size);

/* The same in a batch, which has to be aborted before: then shortage_ease is to be called. */
bool shortage_note(struct client *client, uint32_t bucket);

#endif
