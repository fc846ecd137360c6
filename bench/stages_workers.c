/* The stages in which several processes call at once. */
#include "bench/race.h"
#include "bench/redis_benchmark.h"
#include "bench/stages.h"
#include "bench/workers.h"

#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))
#define SET_BATCH 'b'
#define SET_MIX 'y'
#define SET_BESIDE 'w'
#define BATCH_KEYS 10 /* batches: 1,000 objects */

static struct race race;

static void run_group(const struct row *row, int subject, const struct keys *keys)
{
    const struct group group = {
        .row = *row, .subject = subject, .keys = keys, .duration_ns = settings.workers_ns};

    if (subject_is_present(subject))
        workers_run(&group);
}

/* ---- reads ---- */

/* Every group of processes of every subject, once; with and without another one that writes. */
static void run_readers(uint64_t objects, const struct keys *keys)
{
    static const unsigned groups[] = {1, 4, 8};
    static const int contestants[] = {SUBJECT_MEMSTORE, SUBJECT_RAW, SUBJECT_REDIS,
                                      SUBJECT_MEMCACHED};

    for (size_t i = 0; i < 2 * LENGTH(groups); i++)
        for (size_t j = 0; j < LENGTH(contestants); j++) {
            const struct row row = {.part = PART_READERS,
                                    .call = CALL_GET,
                                    .size = SMALL,
                                    .objects = objects,
                                    .processes = groups[i / 2],
                                    .writer = i % 2 ? SMALL : 0};

            run_group(&row, contestants[j], keys);
        }
}

void stage_readers(uint64_t objects)
{
    struct keys keys = keys_of_objects(objects);

    run_progress("reading processes");
    for (unsigned round = 0; round < settings.rounds; round++)
        run_readers(objects, &keys);
    keys_finish(&keys);
}

/* ---- changes ---- */

const unsigned stage_writers_groups[] = {1, 2, 4, 8, 16, 0};

void stage_writers(uint64_t objects)
{
    static const int contestants[] = {SUBJECT_MEMSTORE, SUBJECT_SOCKET};
    struct keys keys = keys_of_objects(objects);

    run_progress("writing processes");
    for (unsigned round = 0; round < settings.rounds; round++)
        for (size_t i = 0; stage_writers_groups[i]; i++)
            for (size_t j = 0; j < LENGTH(contestants); j++)
                run_group(&(struct row){.part = PART_WRITERS,
                                        .call = CALL_PUT,
                                        .size = SMALL,
                                        .objects = objects,
                                        .processes = stage_writers_groups[i]},
                          contestants[j], &keys);
    keys_finish(&keys);
}

static void race_batches(const struct keys *keys)
{
    race_open(&race, true);
    race_add(&race, &(struct row){.part = PART_BATCHES, .call = CALL_BATCH, .size = SMALL}, keys);
    race_run(&race);
    race_close(&race);
}

static void run_batches(const struct keys *keys)
{
    const struct row row = {.part = PART_BATCHES,
                            .call = CALL_BATCH,
                            .size = SMALL,
                            .processes = REDIS_BENCHMARK_CLIENTS};
    struct row benchmark = row;

    for (int i = 0; i < SUBJECT_COUNT; i++)
        if (subjects[i]->calls[CALL_BATCH])
            run_group(&row, i, keys);
    benchmark.call = CALL_BENCHMARK;
    if (subject_is_present(SUBJECT_REDIS) && redis_benchmark_is_installed())
        results_add(results_at(&benchmark, SUBJECT_REDIS), redis_benchmark_run(SMALL));
}

void stage_batches(void)
{
    struct keys keys = keys_of_size(SET_BATCH, SMALL);

    run_progress("batches");
    keys.count = BATCH_KEYS;
    race_batches(&keys);
    for (unsigned round = 0; round < settings.rounds; round++)
        run_batches(&keys);
    keys_finish(&keys);
}

/* ---- reads and changes ---- */

void stage_mix(void)
{
    static const int contestants[] = {SUBJECT_MEMSTORE, SUBJECT_REDIS, SUBJECT_MEMCACHED};
    const struct objects objects = {SET_MIX, STAGE_MIX_BYTES, 0, STAGE_MIX_OBJECTS};
    const struct row row = {.part = PART_MIX,
                            .call = CALL_MIX,
                            .size = STAGE_MIX_BYTES,
                            .objects = STAGE_MIX_OBJECTS,
                            .processes = STAGE_MIX_PROCESSES};
    struct keys keys = keys_zipfian(SET_MIX, STAGE_MIX_OBJECTS);

    run_progress("reads and changes");
    subjects_restart();
    for (size_t i = 0; i < LENGTH(contestants); i++)
        if (subject_is_present(contestants[i]))
            subjects[contestants[i]]->fill(&objects);
    for (unsigned round = 0; round < settings.rounds; round++)
        for (size_t i = 0; i < LENGTH(contestants); i++)
            run_group(&row, contestants[i], &keys);
    keys_finish(&keys);
}

/* ---- small beside large ---- */

/* The large ones take long: fewer rounds, but longer ones. */
void stage_beside(void)
{
    static const int contestants[] = {SUBJECT_MEMSTORE, SUBJECT_SOCKET, SUBJECT_REDIS,
                                      SUBJECT_MEMCACHED};
    struct keys keys = keys_of_size(STAGE_SET, SMALL), large = keys_of_size(SET_BESIDE, READ_MAX);
    struct group group = {.row = {.part = PART_SINGLES,
                                  .call = CALL_PUT,
                                  .size = SMALL,
                                  .processes = 1,
                                  .writer = READ_MAX,
                                  .percentile = 500},
                          .keys = &keys,
                          .writer_keys = &large,
                          .duration_ns = 2 * settings.workers_ns};

    run_progress("small puts beside large ones");
    for (unsigned round = 0; round < (settings.rounds + 1) / 2; round++)
        for (size_t i = 0; i < LENGTH(contestants); i++) {
            group.subject = contestants[i];
            if (subject_is_present(group.subject))
                workers_run(&group);
        }
    keys_finish(&keys);
    keys_finish(&large);
}
