#include "bench/stages.h"

#include "bench/race.h"

#include <string.h>

#define SIZES 6
#define SET_READ 'r'
#define SET_CHANGED 'c'
#define SET_DELETED 'd'

const uint32_t stage_all_sizes[SIZES + 1] = {16, SMALL, 4096, 65536, 1U << 20, LARGEST, 0};
static const uint32_t changed_sizes[] = {SMALL, 1U << 20};

static struct race race;

void stage_fill(uint64_t from, uint64_t to)
{
    for (int i = 0; i < SUBJECT_COUNT; i++) {
        int64_t start = timing_now();

        if (!subject_is_present(i) || !subjects[i]->fill || from == to)
            continue;
        subjects[i]->fill(from, to);
        run_check();
        run_progress("%s has %llu objects (%.1f s)", subjects[i]->name, (unsigned long long)to,
                     (double)(timing_now() - start) / (double)SECOND_NS);
    }
}

static void add_small(const struct keys *keys, uint64_t objects)
{
    static const enum call calls[] = {CALL_GET, CALL_VIEW, CALL_EXISTS, CALL_INFO};

    for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++)
        race_add(&race, &(struct row){.call = calls[i], .size = SMALL, .objects = objects}, keys);
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
    race_add(&race, &(struct row){.call = CALL_GET, .size = size}, keys);
    race_add(&race, &(struct row){.call = CALL_VIEW, .size = size}, keys);
    race_add(&race, &(struct row){.call = CALL_MEMCPY, .size = size}, keys);
}

void stage_sizes(uint64_t objects)
{
    struct keys keys = keys_of_objects(objects), sets[SIZES];

    run_progress("reads of values of every size");
    race_open(&race, true);
    for (size_t i = 0; i < SIZES; i++) {
        sets[i] = keys_of_size(SET_READ, stage_all_sizes[i]);
        race_store(&race, &sets[i], stage_all_sizes[i]);
    }
    race_close(&race);

    race_open(&race, false);
    add_small(&keys, objects);
    race_add(&race, &(struct row){.call = CALL_ECHO, .size = ECHO_BYTES}, &keys);
    for (size_t i = 0; i < SIZES; i++)
        add_size(&sets[i], stage_all_sizes[i]);
    race_run(&race);
    race_close(&race);
    for (size_t i = 0; i < SIZES; i++)
        keys_finish(&sets[i]);
    keys_finish(&keys);
}

void stage_list(uint64_t objects)
{
    struct keys keys = keys_of_objects(objects);

    run_progress("lists");
    race_open(&race, false);
    race_add(&race, &(struct row){.call = CALL_LIST, .size = SMALL, .objects = objects}, &keys);
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
    race_add(&race, &(struct row){.call = CALL_OPEN, .size = SMALL, .objects = objects}, &keys);
    race_add(&race, &(struct row){.call = CALL_ECHO, .size = ECHO_BYTES, .objects = objects},
             &keys);
    race_run(&race);
    race_close(&race);
    keys_finish(&keys);
}

static void add_changes(const struct keys *changed, const struct keys *deleted, uint32_t size)
{
    race_store(&race, changed, size);
    race_add(&race, &(struct row){.call = CALL_COPY, .size = size}, changed);
    race_add(&race, &(struct row){.call = CALL_MOVE, .size = size}, changed);
    race_add(&race, &(struct row){.call = CALL_DELETE, .size = size}, deleted);
}

void stage_changes(void)
{
    struct keys puts[SIZES], changed[2], deleted[2];

    run_progress("changes");
    race_open(&race, true);
    for (size_t i = 0; i < SIZES; i++) {
        puts[i] = keys_of_size(SET_READ, stage_all_sizes[i]);
        race_add(&race, &(struct row){.call = CALL_PUT, .size = stage_all_sizes[i]}, &puts[i]);
    }
    for (size_t i = 0; i < 2; i++) {
        changed[i] = keys_of_size(SET_CHANGED, changed_sizes[i]);
        deleted[i] = keys_of_size(SET_DELETED, changed_sizes[i]);
        add_changes(&changed[i], &deleted[i], changed_sizes[i]);
    }
    race_run(&race);
    race_close(&race);
    for (size_t i = 0; i < SIZES; i++)
        keys_finish(&puts[i]);
    for (size_t i = 0; i < 2; i++) {
        keys_finish(&changed[i]);
        keys_finish(&deleted[i]);
    }
}
