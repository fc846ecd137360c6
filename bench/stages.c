#include "bench/stages.h"

#include "bench/race.h"

#include <string.h>

#define SIZES 6
#define PAIR_SIZES 3
#define SET_READ 'r'
#define SET_SINGLE 's'
#define SET_COPIED 'c'
#define SET_MOVED 'm'
#define SET_DELETED 'd'

const uint32_t stage_all_sizes[SIZES + 1] = {16, SMALL, 4 * KIB, 64 * KIB, MIB, READ_MAX, 0};

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
    add_echo(PART_SIZES, &keys);
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

/* ---- changes ---- */

/* The sets of objects that are changed: of each size that a value is put with, or is copied, moved
 * and deleted with. */
struct changes {
    struct keys puts[SIZES], single;
    struct keys copied[PAIR_SIZES], moved[PAIR_SIZES], deleted[PAIR_SIZES];
};

static const uint32_t pair_sizes[PAIR_SIZES] = {SMALL, MIB, LARGEST};

/* What copies, moves and deletes the largest values is ours alone: for the others it takes long to
 * store them first. */
static void add_pair(enum call call, const struct keys *keys, uint32_t size)
{
    const struct row row = {.part = PART_CHANGES, .call = call, .size = size};

    if (size < LARGEST) {
        race_store(&race, keys, size);
        race_add(&race, &row, keys);
        return;
    }
    race_store_one(&race, keys, size, SUBJECT_MEMSTORE);
    race_add_one(&race, &row, keys, SUBJECT_MEMSTORE);
    race_add_one(&race, &row, keys, SUBJECT_SOCKET);
}

static void add_memcpys(const struct keys *keys, uint32_t size)
{
    race_add(&race, &(struct row){.part = PART_CHANGES, .call = CALL_MEMCPYS, .size = size}, keys);
    race_add(&race, &(struct row){.part = PART_CHANGES, .call = CALL_MEMCPYS_CACHED, .size = size},
             keys);
}

static void add_changes(struct changes *changes)
{
    for (size_t i = 0; i < SIZES; i++) {
        const struct row row = {.part = PART_CHANGES, .call = CALL_PUT, .size = stage_all_sizes[i]};

        changes->puts[i] = keys_of_size(SET_READ, row.size);
        race_add(&race, &row, &changes->puts[i]);
        if (row.size >= MIB)
            add_memcpys(&changes->puts[i], row.size);
    }
    changes->single = keys_of_size(SET_SINGLE, LARGEST); /* a set of one */
    race_add(&race,
             &(struct row){.part = PART_CHANGES, .call = CALL_PUT, .size = MIB, .objects = 1},
             &changes->single);
    for (size_t i = 0; i < PAIR_SIZES; i++) {
        changes->copied[i] = keys_of_size(SET_COPIED, pair_sizes[i]);
        changes->moved[i] = keys_of_size(SET_MOVED, pair_sizes[i]);
        changes->deleted[i] = keys_of_size(SET_DELETED, pair_sizes[i]);
        add_pair(CALL_COPY, &changes->copied[i], pair_sizes[i]);
        add_pair(CALL_MOVE, &changes->moved[i], pair_sizes[i]);
        add_pair(CALL_DELETE, &changes->deleted[i], pair_sizes[i]);
    }
    add_echo(PART_CHANGES, &changes->puts[0]);
}

static void changes_finish(struct changes *changes)
{
    for (size_t i = 0; i < SIZES; i++)
        keys_finish(&changes->puts[i]);
    keys_finish(&changes->single);
    for (size_t i = 0; i < PAIR_SIZES; i++) {
        keys_finish(&changes->copied[i]);
        keys_finish(&changes->moved[i]);
        keys_finish(&changes->deleted[i]);
    }
}

void stage_changes(void)
{
    struct changes changes;

    run_progress("changes");
    race_open(&race, true);
    add_changes(&changes);
    race_run(&race);
    race_close(&race);
    changes_finish(&changes);
}
