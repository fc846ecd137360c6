/*
 * The state page: what the daemon tells all direct readers, who map it read-only. It is a file in
 * the data folder, which a daemon that starts goes on with.
 */
#ifndef MEMSTORE_STATE_H
#define MEMSTORE_STATE_H

#include <assert.h>
#include <stdint.h>

#define STATE_NAME "state"
#define STATE_SIZE 4096

struct state_page {
    /* Grows when buckets were dropped or set: after the commit, and before anybody is told. Who saw
     * the same number before, and looked into a snapshot that was begun after it, need not look
     * again. Never 0. */
    _Atomic uint64_t buckets;
    uint8_t reserved[56];
    /* What moves with each commit has a line of its own: it is for readers of buckets that evict.
     */
    _Atomic uint64_t version; /* of the newest change */
    _Atomic uint64_t marks;   /* how many there are (marks.h); 0: none */
    uint8_t more_reserved[STATE_SIZE - 64 - 16];
};
static_assert(sizeof(struct state_page) == STATE_SIZE, "state_page");

#endif
