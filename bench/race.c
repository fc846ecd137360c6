#include "bench/race.h"

#include <string.h>

#define CHUNK_NS (100 * MICROSECOND_NS)
#define SLICE_CHUNKS_MAX 1024
#define CHUNK_MAX (1U << 24)

void race_open(struct race *race, bool writes)
{
    memset(race, 0, sizeof(*race));
    for (int i = 0; i < SUBJECT_COUNT; i++)
        if (subject_is_present(i))
            race->connections[i] = subjects[i]->open(writes);
}

void race_close(struct race *race)
{
    for (int i = 0; i < SUBJECT_COUNT; i++)
        if (race->connections[i])
            subjects[i]->close(race->connections[i]);
    memset(race, 0, sizeof(*race));
}

void race_add_connection(struct race *race, const struct row *row, const struct keys *keys,
                         int subject, void *connection)
{
    const struct subject *of = subjects[subject];

    if (race->count == ENTRIES_MAX)
        run_fail("too many entries in a race");
    race->entries[race->count++] = (struct entry){
        .result = results_at(row, subject),
        .before = of->before[row->call],
        .call = of->calls[row->call],
        .after = of->after[row->call],
        .connection = connection,
        .keys = keys,
    };
}

void race_add_one(struct race *race, const struct row *row, const struct keys *keys, int subject)
{
    if (subject_is_present(subject) && subjects[subject]->calls[row->call])
        race_add_connection(race, row, keys, subject, race->connections[subject]);
}

void race_add(struct race *race, const struct row *row, const struct keys *keys)
{
    for (int i = 0; i < SUBJECT_COUNT; i++)
        race_add_one(race, row, keys, i);
}

void race_store_one(struct race *race, const struct keys *keys, uint32_t size, int subject)
{
    operation *put = subjects[subject]->calls[CALL_PUT];

    if (!race->connections[subject] || !put)
        return;
    for (size_t i = 0; i < keys->count; i++)
        put(race->connections[subject], &keys->list[i], size);
    run_check();
}

void race_store(struct race *race, const struct keys *keys, uint32_t size)
{
    for (int i = 0; i < SUBJECT_COUNT; i++)
        race_store_one(race, keys, size, i);
}

static void call_each(struct entry *entry, operation *call, uint64_t count)
{
    const struct keys *keys = entry->keys;
    const uint32_t size = entry->result->row.size;

    for (uint64_t i = 0; i < count; i++) {
        call(entry->connection, &keys->list[entry->next], size);
        if (++entry->next == keys->count)
            entry->next = 0;
    }
}

/* Calls of which each has its own preparation or remains come one by one, others in a row. */
static uint64_t block_size(const struct entry *entry, uint64_t count)
{
    uint64_t most = entry->after ? 1 : entry->before ? entry->keys->count : count;

    return count < most ? count : most;
}

/* Returns the nanoseconds of the calls alone. */
static int64_t run_calls(struct entry *entry, uint64_t count)
{
    int64_t elapsed = 0;

    while (count > 0) {
        uint64_t block = block_size(entry, count);
        size_t first = entry->next;
        int64_t start;

        if (entry->before)
            call_each(entry, entry->before, block);
        entry->next = first;
        start = timing_now();
        call_each(entry, entry->call, block);
        elapsed += timing_now() - start;
        if (entry->after)
            entry->after(entry->connection, &entry->keys->list[first], entry->result->row.size);
        count -= block;
    }
    return elapsed;
}

static int64_t time_calls(struct entry *entry, uint64_t count)
{
    int64_t start = timing_now();

    run_calls(entry, count);
    run_check();
    return timing_now() - start;
}

/* What takes long is tried again: it may have been the first call, or another process's turn. */
static bool is_short(struct entry *entry, uint64_t count)
{
    for (unsigned i = 0; i < 2; i++)
        if (time_calls(entry, count) < CHUNK_NS / 2)
            return true;
    return false;
}

/* Finds how many calls fill a chunk, preparations included. */
static void calibrate(struct entry *entry)
{
    entry->chunk = 1;
    while (entry->chunk < CHUNK_MAX && is_short(entry, entry->chunk))
        entry->chunk *= 2;
}

/* The sample is the median of the slice's chunks, most of which no other process interrupts. */
static void run_slice(struct entry *entry)
{
    static double chunks[SLICE_CHUNKS_MAX];
    const double calls = (double)entry->chunk * call_weight(entry->result->row.call);
    int64_t end;
    unsigned count = 0;

    run_calls(entry, entry->chunk); /* the contestant before left other things in the caches */
    end = timing_now() + settings.slice_ns;
    do {
        chunks[count] = (double)run_calls(entry, entry->chunk) / calls;
        results_add_time(entry->result, chunks[count] * calls, calls);
        run_check();
    } while (++count < SLICE_CHUNKS_MAX && timing_now() < end);
    results_add(entry->result, timing_spread(chunks, count).median);
}

static void shuffle(struct race *race, uint64_t *state)
{
    for (size_t i = race->count; i > 1; i--) {
        size_t j = keys_random(state) % i;
        struct entry taken = race->entries[j];

        race->entries[j] = race->entries[i - 1];
        race->entries[i - 1] = taken;
    }
}

int64_t race_call(struct entry *entry)
{
    return run_calls(entry, 1);
}

void race_run(struct race *race)
{
    for (size_t i = 0; i < race->count; i++)
        calibrate(&race->entries[i]);
    race_rounds(race, run_slice);
}

void race_rounds(struct race *race, void (*run)(struct entry *entry))
{
    uint64_t state = 88172645463325252ULL;

    for (unsigned round = 0; round < settings.rounds; round++) {
        shuffle(race, &state);
        for (size_t i = 0; i < race->count; i++)
            run(&race->entries[i]);
    }
}
