/*
 * The bulk buffer: a memfd of this process's that the daemon is handed, for the bytes that do not
 * fit a frame. It is large and sparse: a page takes memory only once it was used.
 */
#ifndef MEMSTORE_BULK_H
#define MEMSTORE_BULK_H

#include <stdint.h>

#define BULK_INITIAL (UINT64_C(64) << 20)
#define BULK_KEPT (UINT64_C(4) << 20) /* bytes that stay warm between calls over a socket */

struct bulk {
    int fd;             /* -1: not made yet */
    uint8_t *data;      /* the mapping */
    uint64_t size;      /* of the mapping */
    uint64_t file_size; /* of the file: greater only after a mapping failed */
};

void bulk_init(struct bulk *bulk);

/* Drops the buffer. It can be reserved anew, and is another one then. */
void bulk_finish(struct bulk *bulk);

/*
 * Makes it at least size bytes long. What is in it stays; data may move. -EFBIG: over BULK_MAX, or
 * over the limit on file sizes of this process; -ENOMEM, -EMFILE.
 */
int bulk_reserve(struct bulk *bulk, uint64_t size);

/* Gives memory back: of the first `used` bytes, those behind the first `kept`. */
void bulk_trim(struct bulk *bulk, uint64_t kept, uint64_t used);

#endif
