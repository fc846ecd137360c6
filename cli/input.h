/* Where a put's value comes from: a file or standard input. */
#ifndef MEMSTORE_CLI_INPUT_H
#define MEMSTORE_CLI_INPUT_H

#include <stddef.h>
#include <stdint.h>

#define INPUT_SIZE_UNKNOWN UINT64_MAX

struct input {
    const char *name; /* to tell people */
    int fd;
    uint64_t size; /* what is left to read, as far as one can know */
};

/* Opens a file; NULL or "-" is standard input, and people at a terminal are told that they are
 * waited for. Returns 0 or a negative errno; input_finish is fine after that too. */
int input_init(struct input *input, const char *path);
void input_finish(struct input *input);

/* Reads all of it, at most `most` bytes, into memory of its own, for free(). 0 or a negative errno:
 * -EFBIG, -ENOMEM. */
int input_read_all(struct input *input, uint64_t most, char **ret_bytes, size_t *ret_size);

/* Reads until the buffer is full or the input ends. 0 or a negative errno. */
int input_read(struct input *input, void *buffer, size_t size, size_t *ret_size);

#endif
