/* What memstore alone has. */
#include "bench/client.h"
#include "bench/exact_lru.h"
#include "bench/extras.h"
#include "bench/machine.h"
#include "bench/process.h"
#include "bench/race.h"
#include "bench/stages.h"
#include "bench/zipf.h"

static struct race race;

static void add(enum call call, uint32_t size, const struct keys *keys)
{
    race_add(&race, &(struct row){.part = PART_EXTRAS, .call = call, .size = size}, keys);
}

/* With the daemon on a core of its own: else all depends on where the scheduler has them. */
static void race_wake(const struct keys *keys)
{
    subjects_place(2);
    race_open(&race, true);
    race_add(&race, &(struct row){.part = PART_EXTRAS, .call = CALL_WAKE, .cores = 2}, keys);
    race_add(&race,
             &(struct row){.part = PART_EXTRAS, .call = CALL_ECHO, .size = ECHO_BYTES, .cores = 2},
             keys);
    race_run(&race);
    race_close(&race);
    subjects_place(0);
}

void stage_extras(void)
{
    struct keys keys = keys_of_size(STAGE_SET, SMALL), lasting = keys_of_size('t', SMALL);
    pid_t waiter = subject_start_waiter();
    struct client *full;

    run_progress("buckets, lifetimes, waiting");
    race_open(&race, true);
    full = subject_open_full();
    race_store_one(&race, &keys, SMALL, SUBJECT_MEMSTORE);
    add(CALL_BUCKET, 0, &keys);
    race_add_one(&race, &(struct row){.part = PART_EXTRAS, .call = CALL_PUT, .size = SMALL}, &keys,
                 SUBJECT_MEMSTORE);
    race_add_one(&race, &(struct row){.part = PART_EXTRAS, .call = CALL_PUT, .size = SMALL}, &keys,
                 SUBJECT_SOCKET);
    add(CALL_PUT_TTL, SMALL, &lasting);
    race_add_connection(&race,
                        &(struct row){.part = PART_EXTRAS, .call = CALL_PUT_LRU, .size = SMALL},
                        &keys, SUBJECT_MEMSTORE, full);
    race_run(&race);
    race_close(&race);
    client_close(full);
    if (machine_cores() > 1)
        race_wake(&keys);
    process_stop(waiter);
    keys_finish(&keys);
    keys_finish(&lasting);
}

/* ---- hits ---- */

#define EXPONENT 0.99

/* A cache of memstore's and one that is exact, which are asked for the same keys. */
struct caches {
    struct client *client;
    struct exact_lru exact;
    struct zipf zipf;
    uint32_t keys; /* that come by Zipf's law; those behind come once */
    uint64_t random;
};

struct hits {
    uint64_t ours, exact, all;
};

static void use(struct caches *caches, uint32_t key, struct hits *hits)
{
    hits->all++;
    hits->ours += extra_cache_use(caches->client, key);
    hits->exact += exact_lru_use(&caches->exact, key);
}

static struct hits use_zipfian(struct caches *caches, uint64_t count)
{
    struct hits hits = {0};

    while (hits.all < count) {
        double uniform = (double)(keys_random(&caches->random) >> 11) / (double)(1ULL << 53);
        uint64_t number = zipf_number(&caches->zipf, uniform);

        use(caches, (uint32_t)zipf_scramble(number, caches->keys), &hits);
        if (hits.all % 1024 == 0)
            run_check();
    }
    return hits;
}

static void add_hits(const struct hits *hits, enum call ours, enum call exact, uint64_t keys)
{
    const struct row row = {.part = PART_EXTRAS, .call = ours, .size = 16, .objects = keys};
    const struct row other = {.part = PART_EXTRAS, .call = exact, .size = 16, .objects = keys};

    results_add(results_at(&row, SUBJECT_MEMSTORE), 100.0 * (double)hits->ours / (double)hits->all);
    results_add(results_at(&other, SUBJECT_MEMCPY),
                100.0 * (double)hits->exact / (double)hits->all);
}

void stage_hits(uint64_t keys)
{
    const uint32_t size = (uint32_t)keys / 10, scanned = 10 * size;
    struct caches caches = {.keys = (uint32_t)keys, .random = 1};
    struct hits hits, once = {0};

    run_progress("hits of a cache");
    zipf_init(&caches.zipf, keys, EXPONENT);
    exact_lru_init(&caches.exact, (uint32_t)keys + scanned, size);
    caches.client = subject_open_cache("cache", size);
    use_zipfian(&caches, keys); /* it is full then */
    hits = use_zipfian(&caches, keys);
    add_hits(&hits, CALL_HITS, CALL_LRU_HITS, keys);
    for (uint32_t i = 0; i < scanned; i++)
        use(&caches, (uint32_t)keys + i, &once);
    hits = use_zipfian(&caches, 2 * (uint64_t)size);
    add_hits(&hits, CALL_SCAN_HITS, CALL_LRU_SCAN_HITS, keys);
    client_close(caches.client);
    exact_lru_finish(&caches.exact);
}
