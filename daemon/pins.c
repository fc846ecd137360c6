#include "pins.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

void pins_init(struct pins *pins)
{
    *pins = (struct pins){.fd = -1};
}

int pins_create(struct pins *pins, int folder, unsigned number, pid_t pid)
{
    uint32_t owner = (uint32_t)pid;
    int r;

    snprintf(pins->name, sizeof(pins->name), "pins.%u", number);
    pins->fd = openat(folder, pins->name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (pins->fd < 0)
        return -errno;
    /* With all its memory: the client must not meet a full tmpfs in its map. */
    if (fallocate(pins->fd, 0, 0, PIN_TABLE_SIZE) < 0 || flock(pins->fd, LOCK_EX | LOCK_NB) < 0 ||
        pwrite(pins->fd, &owner, sizeof(owner), offsetof(struct pin_table, pid)) < 0) {
        r = -errno;
        pins_remove(pins, folder);
        return r;
    }
    return 0;
}

int pins_inherit(struct pins *pins, int folder, const char *name)
{
    snprintf(pins->name, sizeof(pins->name), "%s", name);
    pins->fd = openat(folder, name, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    if (pins->fd < 0)
        return -errno;
    if (pins_abandoned(pins)) {
        pins_remove(pins, folder);
        return -ESRCH;
    }
    return 0;
}

int pins_abandoned(const struct pins *pins)
{
    return flock(pins->fd, LOCK_EX | LOCK_NB) == 0;
}

void pins_remove(struct pins *pins, int folder)
{
    if (pins->fd < 0)
        return;
    unlinkat(folder, pins->name, 0);
    close(pins->fd);
    pins_init(pins);
}

void pins_leave(struct pins *pins)
{
    close(pins->fd);
    pins_init(pins);
}

/* Most slots of most tables are free: they are passed by eight at a time. */
static size_t gather(const uint64_t slots[PIN_SLOTS], uint64_t ids[PIN_SLOTS])
{
    size_t count = 0;

    for (size_t i = 0; i < PIN_SLOTS; i += 8) {
        size_t end = i + 8 < PIN_SLOTS ? i + 8 : PIN_SLOTS;
        uint64_t any = 0;

        for (size_t j = i; j < end; j++)
            any |= slots[j];
        for (size_t j = i; any && j < end; j++) {
            if (slots[j] != 0)
                ids[count++] = slots[j];
        }
    }
    return count;
}

size_t pins_read(const struct pins *pins, uint64_t ids[PIN_SLOTS], pid_t *ret_pid)
{
    uint64_t words[PIN_PART / sizeof(uint64_t)];
    uint32_t pid;

    /* A client that cut its table has given its pins up. */
    if (pread(pins->fd, words, sizeof(words), 0) != (ssize_t)sizeof(words))
        return 0;
    memcpy(&pid, (uint8_t *)words + offsetof(struct pin_table, pid), sizeof(pid));
    if (ret_pid)
        *ret_pid = (pid_t)pid;
    return gather(words + offsetof(struct pin_table, slots) / sizeof(uint64_t), ids);
}

void pins_read_counts(const struct pins *pins, uint64_t *ret_hits, uint64_t *ret_misses)
{
    uint64_t words[READ_COUNTS][sizeof(struct read_counts) / sizeof(uint64_t)];

    *ret_hits = *ret_misses = 0;
    if (pread(pins->fd, words, sizeof(words), PIN_PART) != (ssize_t)sizeof(words))
        return;
    for (size_t i = 0; i < READ_COUNTS; i++) {
        *ret_hits += words[i][0];
        *ret_misses += words[i][1];
    }
}

void pins_stop(const struct pins *pins)
{
    const uint32_t yes = 1;

    /* A client that cut its table notices the closed connection instead. */
    if (pwrite(pins->fd, &yes, sizeof(yes), offsetof(struct pin_table, stopped)) < 0)
        return;
}
