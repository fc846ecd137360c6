/* The stages that change objects, one client at a time. */
#include "bench/durations.h"
#include "bench/machine.h"
#include "bench/process.h"
#include "bench/race.h"
#include "bench/stages.h"

#define PAIR_SIZES 3
#define SET_SINGLE 's'
#define SET_COPIED 'c'
#define SET_MOVED 'm'
#define SET_DELETED 'd'

static struct race race;

/* The sets of objects that are changed: of each size that a value is put with, or is copied, moved
 * and deleted with. */
struct changes {
    struct keys puts[STAGE_SIZES], single;
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
    for (size_t i = 0; i < STAGE_SIZES; i++) {
        const struct row row = {.part = PART_CHANGES, .call = CALL_PUT, .size = stage_all_sizes[i]};

        changes->puts[i] = keys_of_size(STAGE_SET, row.size);
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
}

static void changes_finish(struct changes *changes)
{
    for (size_t i = 0; i < STAGE_SIZES; i++)
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
    race_add(&race, &(struct row){.part = PART_SINGLES, .call = CALL_CLOCK}, &changes.single);
    race_run(&race);
    race_close(&race);
    changes_finish(&changes);
}

/* ---- where both sides are ---- */

/* A small put, and a bare echo. A ring is of no use on one core: a daemon that starts with just
 * one does without, and this one did not. */
static void race_placed(unsigned cores, const struct keys *keys)
{
    static const int contestants[] = {SUBJECT_SOCKET, SUBJECT_REDIS, SUBJECT_MEMCACHED,
                                      SUBJECT_MEMSTORE};
    const size_t count = sizeof(contestants) / sizeof(contestants[0]) - (cores == 1);
    const struct row put = {.part = PART_PLACED, .call = CALL_PUT, .size = SMALL, .cores = cores};
    const struct row echo = {
        .part = PART_PLACED, .call = CALL_ECHO, .size = ECHO_BYTES, .cores = cores};

    subjects_place(cores);
    race_open(&race, true);
    for (size_t i = 0; i < count; i++)
        race_add_one(&race, &put, keys, contestants[i]);
    race_add(&race, &echo, keys);
    race_run(&race);
    race_close(&race);
    subjects_place(0);
}

void stage_placed(void)
{
    struct keys keys = keys_of_size(STAGE_SET, SMALL);

    run_progress("both sides on one core, and on two");
    race_placed(1, &keys);
    if (machine_cores() > 1)
        race_placed(2, &keys);
    keys_finish(&keys);
}

/* ---- one by one ---- */

#define SINGLE_ROWS 7

static const struct row single_rows[SINGLE_ROWS] = {
    {.part = PART_SINGLES, .call = CALL_GET, .size = SMALL, .percentile = 500},
    {.part = PART_SINGLES, .call = CALL_PUT, .size = SMALL, .percentile = 500},
    {.part = PART_SINGLES, .call = CALL_PUT, .size = MIB, .percentile = 500},
    {.part = PART_SINGLES, .call = CALL_COPY, .size = SMALL, .percentile = 500},
    {.part = PART_SINGLES, .call = CALL_MOVE, .size = SMALL, .percentile = 500},
    {.part = PART_SINGLES, .call = CALL_DELETE, .size = SMALL, .percentile = 500},
    {.part = PART_SINGLES, .call = CALL_DELETE, .size = MIB, .percentile = 500},
};

static struct durations durations;

static void run_single_slice(struct entry *entry)
{
    int64_t end;

    race_call(entry); /* the contestant before left other things in the caches */
    durations_clear(&durations);
    end = timing_now() + settings.singles_ns;
    do
        run_check();
    while (durations_add(&durations, (double)race_call(entry)) && timing_now() < end);
    durations_report(&durations, &entry->result->row, entry->result->subject);
}

void stage_singles(void)
{
    static const int contestants[] = {SUBJECT_MEMSTORE, SUBJECT_SOCKET, SUBJECT_REDIS,
                                      SUBJECT_MEMCACHED};
    struct keys sets[SINGLE_ROWS];

    run_progress("calls one by one");
    race_open(&race, true);
    for (size_t i = 0; i < SINGLE_ROWS; i++) {
        sets[i] = keys_of_size('1' + (char)i, single_rows[i].size);
        race_store(&race, &sets[i], single_rows[i].size);
        for (size_t j = 0; j < sizeof(contestants) / sizeof(contestants[0]); j++)
            race_add_one(&race, &single_rows[i], &sets[i], contestants[j]);
    }
    race_rounds(&race, run_single_slice);
    race_close(&race);
    for (size_t i = 0; i < SINGLE_ROWS; i++)
        keys_finish(&sets[i]);
}
