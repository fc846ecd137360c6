#include "sample.h"

#include <stdlib.h>
#include <time.h>

static int64_t now(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * INT64_C(1000000000) + time.tv_nsec;
}

int sample_take(struct sample *sample, struct memstore *store)
{
    int error = memstore_stats(store, &sample->stats, sizeof(sample->stats));

    sample->moment = now();
    sample->buckets = NULL;
    sample->holders = NULL;
    if (!error)
        error = memstore_bucket_list(store, &sample->buckets, &sample->bucket_count,
                                     sizeof(*sample->buckets));
    if (!error)
        error = memstore_holders(store, &sample->holders, &sample->holder_count,
                                 sizeof(*sample->holders));
    if (error)
        sample_finish(sample);
    return error;
}

void sample_finish(struct sample *sample)
{
    free(sample->holders);
    free(sample->buckets);
    *sample = (struct sample){0};
}
