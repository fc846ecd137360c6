/* What the store tells of itself at one moment. */
#ifndef MEMSTORE_CLI_SAMPLE_H
#define MEMSTORE_CLI_SAMPLE_H

#include "client/memstore.h"

#include <stddef.h>
#include <stdint.h>

struct sample {
    int64_t moment; /* nanoseconds of a clock that only goes forward; 0: there is no sample */
    struct memstore_stats stats;
    struct memstore_bucket_info *buckets; /* by name */
    size_t bucket_count;
    struct memstore_holder *holders;
    size_t holder_count;
};

/* Asks the store. 0 or an error of the library's, which leaves the sample empty. */
int sample_take(struct sample *sample, struct memstore *store);
void sample_finish(struct sample *sample);

#endif
