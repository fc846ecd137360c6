/* What the store is doing: a sample, and how fast it came about since the one before. */
#ifndef MEMSTORE_CLI_PICTURE_H
#define MEMSTORE_CLI_PICTURE_H

#include "sample.h"

#include <stdbool.h>
#include <stddef.h>

enum picture_order {
    PICTURE_BY_SIZE, /* the largest first */
    PICTURE_BY_RATE, /* the busiest first */
    PICTURE_BY_NAME,
};

/* A bucket, and what happens in it each second. */
struct bucket_row {
    const struct memstore_bucket_info *info;
    double puts;
    double hits;
    double misses;
    double evicted;
};

struct picture {
    const struct sample *sample; /* the caller's; it must stay */
    bool has_rates;              /* else those below and in the rows are 0 */
    double seconds;              /* between the samples */
    double requests;             /* each second */
    double commits;
    struct bucket_row *rows;
    size_t row_count;
};

/* Compares two samples; an empty one, or one of another daemon, gives no rates. -ENOMEM. */
int picture_init(struct picture *picture, const struct sample *before, const struct sample *sample);
void picture_finish(struct picture *picture);

void picture_sort(struct picture *picture, enum picture_order order);

/* The part of reads that found their object, 0 to 1; -1: there were no reads. */
double bucket_row_hit_rate(const struct bucket_row *row);

#endif
