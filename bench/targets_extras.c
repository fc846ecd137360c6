/* What is aimed at in buckets, lifetimes and waiting. */
#include "bench/targets_list.h"

static struct term ours(enum call call, uint32_t size)
{
    return term((struct row){.part = PART_EXTRAS, .call = call, .size = size}, SUBJECT_MEMSTORE);
}

static struct term hits(enum call call, int subject)
{
    return term(
        (struct row){.part = PART_EXTRAS, .call = call, .size = 16, .objects = settings.all},
        subject);
}

void targets_of_extras(struct targets *targets)
{
    const struct row wake = {.part = PART_EXTRAS, .call = CALL_WAKE, .cores = 2};
    const struct row echo = {
        .part = PART_EXTRAS, .call = CALL_ECHO, .size = ECHO_BYTES, .cores = 2};

    targets->group = "buckets, lifetimes, waiting";
    at_most(targets_add(targets, ours(CALL_BUCKET, 0), constant(MICROSECOND_NS),
                        "make and drop a bucket, us"),
            200);
    at_most(targets_add(targets, ours(CALL_PUT_TTL, SMALL), ours(CALL_PUT, SMALL),
                        "put 128 B with a lifetime : without"),
            2);
    at_most(targets_add(targets, ours(CALL_PUT_LRU, SMALL), ours(CALL_PUT, SMALL),
                        "put 128 B into a full lru bucket : put"),
            2);
    at_least(targets_add(targets, hits(CALL_HITS, SUBJECT_MEMSTORE),
                         hits(CALL_LRU_HITS, SUBJECT_MEMCPY),
                         "hits, keys by Zipf's law : exact LRU's"),
             0.97);
    at_least(targets_add(targets, hits(CALL_SCAN_HITS, SUBJECT_MEMSTORE),
                         hits(CALL_LRU_SCAN_HITS, SUBJECT_MEMCPY),
                         "hits after a scan : exact LRU's"),
             1);
    /* There and back are two. */
    at_most(targets_add(targets, times(0.5, wake, SUBJECT_MEMSTORE), term(echo, SUBJECT_ECHO),
                        "wake-up of a waiter : echo, on two cores"),
            2);
}
