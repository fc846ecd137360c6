/* A bar on stderr for what takes noticeably long. */
#ifndef MEMSTORE_CLI_PROGRESS_H
#define MEMSTORE_CLI_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

#define PROGRESS_TOTAL_UNKNOWN UINT64_MAX

struct progress {
    const char *what; /* a key */
    uint64_t done;
    uint64_t total;
    int64_t started; /* nanoseconds, as of CLOCK_MONOTONIC */
    int64_t shown;   /* when last; 0: never */
    bool is_wanted;
};

/* Wants a bar if stderr is a terminal and `fd`, where the bytes go or come from, is not. */
void progress_init(struct progress *progress, const char *what, uint64_t total, int fd);

/* So many bytes more are done. */
void progress_add(struct progress *progress, uint64_t bytes);

/* Wipes the bar. */
void progress_finish(struct progress *progress);

#endif
