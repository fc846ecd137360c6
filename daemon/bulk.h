/* A client's bulk buffer: its memfd, mapped here. The client can change its bytes at any moment
 * and make it longer, but not shorter: that is sealed. Memory for its pages may be missing all the
 * same: copy with guard.h. */
#ifndef MEMSTORED_BULK_H
#define MEMSTORED_BULK_H

#include <stdint.h>

struct bulk {
    int fd;       /* -1: none attached */
    uint8_t *map; /* shared with the client: copy once, then check, then use */
    uint64_t size;
    uint64_t touched; /* bytes from its start that may have memory: those that requests named */
};

void bulk_init(struct bulk *bulk);
void bulk_finish(struct bulk *bulk);

/* Takes over fd, also on failure. -EINVAL: not a memfd, or hugetlb, empty, not sealed against
 * shrinking, sealed against writing. -EALREADY: there is one. -ENOMEM. */
int bulk_attach(struct bulk *bulk, int fd);

/* Finds a part. -EINVAL: it is not inside the buffer, or there is none. */
int bulk_part(struct bulk *bulk, uint64_t offset, uint64_t length, uint8_t **ret_part);

/* Forgets which pages were touched, after a large transfer: the page tables were ours. */
void bulk_forget(struct bulk *bulk, uint64_t offset, uint64_t length);

/* Gives back memory that was touched, up to so many bytes; what stood there is gone. */
void bulk_release(struct bulk *bulk, uint64_t share);

#endif
