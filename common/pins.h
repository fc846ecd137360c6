/*
 * A pin table: which blobs a process reads in place.
 *
 * The daemon makes one for each connection that reads directly, a file in the data folder, and
 * passes it to the client, which maps it. A view is taken so: in a read transaction the client
 * finds the blob's id, writes it into a free slot, and only then ends the transaction. The
 * daemon takes a replaced blob out of the index in transaction T, and frees its bytes once
 * no reader's snapshot is older than T and no pin table, read after that, names it.
 *
 * The daemon never trusts what it reads here; at worst a value lives longer than it need. It
 * reads with pread, so that a client that cuts the file hurts only itself.
 */
#ifndef MEMSTORE_PINS_H
#define MEMSTORE_PINS_H

#include <assert.h>
#include <stdint.h>

#define PIN_TABLE_SIZE 20480
#define PIN_PART 16384 /* bytes of it that are about pins */
#define PIN_SLOTS ((PIN_PART - 16) / 8)

/* What the process read, for the daemon's statistics: each thread counts in a place of its own, as
 * far as there are as many. */
#define READ_COUNTS 64
struct read_counts {
    _Atomic uint64_t hits;
    _Atomic uint64_t misses;
    uint8_t reserved[48]; /* a cache line */
};

struct pin_table {
    _Atomic uint32_t pid;     /* of the process that pins */
    _Atomic uint32_t stopped; /* set by a daemon that stops: what is mapped is no more the store */
    uint64_t reserved;
    _Atomic uint64_t slots[PIN_SLOTS]; /* blob ids; 0: free */
    struct read_counts counts[READ_COUNTS];
};
static_assert(sizeof(struct pin_table) == PIN_TABLE_SIZE, "pin_table");

#endif
