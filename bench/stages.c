#include "bench/stages.h"

#include "bench/race.h"

#include <string.h>

const uint32_t stage_all_sizes[STAGE_SIZES + 1] = {16, SMALL, 4 * KIB, 64 * KIB, MIB, READ_MAX, 0};

static struct race race;

void stage_fill(uint64_t from, uint64_t to)
{
    for (int i = 0; i < SUBJECT_COUNT; i++) {
        int64_t start = timing_now();

        if (!subject_is_present(i) || !subjects[i]->fill || from == to)
            continue;
        subjects[i]->fill(&(struct objects){SET_SMALL, SMALL, from, to});
        run_check();
        run_progress("%s has %llu objects (%.1f s)", subjects[i]->name, (unsigned long long)to,
                     (double)(timing_now() - start) / (double)SECOND_NS);
    }
}

static void add_echo(enum part part, const struct keys *keys)
{
    race_add(&race, &(struct row){.part = part, .call = CALL_ECHO, .size = ECHO_BYTES}, keys);
}

static void add_small(const struct keys *keys, uint64_t objects)
{
    static const enum call calls[] = {CALL_GET, CALL_VIEW, CALL_EXISTS, CALL_INFO};

    for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++)
        race_add(&race,
                 &(struct row){
                     .part = PART_OBJECTS, .call = calls[i], .size = SMALL, .objects = objects},
                 keys);
}

void stage_small(uint64_t objects)
{
    struct keys keys = keys_of_objects(objects);

    run_progress("reads of %llu small objects", (unsigned long long)objects);
    race_open(&race, false);
    add_small(&keys, objects);
    race_run(&race);
    race_close(&race);
    keys_finish(&keys);
}

static void add_size(const struct keys *keys, uint32_t size)
{
    static const enum call calls[] = {CALL_GET, CALL_VIEW, CALL_MEMCPY};

    for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++)
        race_add(&race, &(struct row){.part = PART_SIZES, .call = calls[i], .size = size}, keys);
}

void stage_sizes(uint64_t objects)
{
    struct keys keys = keys_of_objects(objects), sets[STAGE_SIZES];

    run_progress("reads of values of every size");
    race_open(&race, true);
    for (size_t i = 0; i < STAGE_SIZES; i++) {
        sets[i] = keys_of_size(STAGE_SET, stage_all_sizes[i]);
        race_store(&race, &sets[i], stage_all_sizes[i]);
    }
    race_close(&race);

    race_open(&race, false);
    add_small(&keys, objects);
    add_echo(PART_SIZES, &keys);
    for (size_t i = 0; i < STAGE_SIZES; i++)
        add_size(&sets[i], stage_all_sizes[i]);
    race_run(&race);
    race_close(&race);
    for (size_t i = 0; i < STAGE_SIZES; i++)
        keys_finish(&sets[i]);
    keys_finish(&keys);
}

void stage_list(uint64_t objects)
{
    struct keys keys = keys_of_objects(objects);

    run_progress("lists");
    race_open(&race, false);
    race_add(
        &race,
        &(struct row){.part = PART_OBJECTS, .call = CALL_LIST, .size = SMALL, .objects = objects},
        &keys);
    race_run(&race);
    race_close(&race);
    keys_finish(&keys);
}

/* No connection is open meanwhile: a second one of the same process would share what the first one
 * has mapped, and LMDB forbids it. */
void stage_open(uint64_t objects)
{
    struct keys keys = keys_of_objects(objects);

    run_progress("opening");
    memset(&race, 0, sizeof(race));
    race.connections[SUBJECT_ECHO] = subjects[SUBJECT_ECHO]->open(false);
    race_add(
        &race,
        &(struct row){.part = PART_OBJECTS, .call = CALL_OPEN, .size = SMALL, .objects = objects},
        &keys);
    add_echo(PART_OBJECTS, &keys);
    race_run(&race);
    race_close(&race);
    keys_finish(&keys);
}
