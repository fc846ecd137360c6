#include "bench/results.h"

#include <stdio.h>
#include <string.h>

#define RESULTS_MAX 1024

static struct result results[RESULTS_MAX];
static size_t result_count;
static size_t row_firsts[RESULTS_MAX]; /* the first result of each row */
static size_t row_count;

static bool is_same(const struct row *a, const struct row *b)
{
    return a->part == b->part && a->call == b->call && a->size == b->size &&
           a->objects == b->objects && a->processes == b->processes && a->clients == b->clients &&
           a->writer == b->writer && a->cores == b->cores && a->percentile == b->percentile &&
           a->per_cpu == b->per_cpu;
}

static struct result *find(const struct row *row, int subject)
{
    for (size_t i = 0; i < result_count; i++)
        if (results[i].subject == subject && is_same(&results[i].row, row))
            return &results[i];
    return NULL;
}

static bool is_known(const struct row *row)
{
    for (size_t i = 0; i < row_count; i++)
        if (is_same(&results[row_firsts[i]].row, row))
            return true;
    return false;
}

struct result *results_at(const struct row *row, int subject)
{
    struct result *result = find(row, subject);

    if (result)
        return result;
    if (result_count == RESULTS_MAX)
        run_fail("too many results");
    if (!is_known(row))
        row_firsts[row_count++] = result_count;
    result = &results[result_count++];
    *result = (struct result){.row = *row, .subject = subject};
    return result;
}

const struct result *results_find(const struct row *row, int subject)
{
    const struct result *result = find(row, subject);

    return result && result->count > 0 ? result : NULL;
}

void results_add(struct result *result, double sample)
{
    if (result->count == ROUNDS_MAX)
        run_fail("too many rounds");
    result->samples[result->count++] = sample;
}

void results_add_time(struct result *result, double ns, double calls)
{
    result->total_ns += ns;
    result->total_calls += calls;
}

struct spread results_spread(const struct result *result)
{
    double samples[ROUNDS_MAX]; /* the result keeps its own in the order of rounds */

    memcpy(samples, result->samples, sizeof(samples));
    return timing_spread(samples, result->count);
}

const struct row *results_row(size_t index)
{
    return index < row_count ? &results[row_firsts[index]].row : NULL;
}

enum unit row_unit(const struct row *row)
{
    if (row->call == CALL_OWN_MEMORY || row->call == CALL_CLIENT_MEMORY ||
        row->call == CALL_OBJECT_MEMORY)
        return UNIT_BYTES;
    if (row->call == CALL_HITS || row->call == CALL_SCAN_HITS || row->call == CALL_LRU_HITS ||
        row->call == CALL_LRU_SCAN_HITS)
        return UNIT_PERCENT;
    return row->processes > 0 && row->percentile == 0 ? UNIT_RATE : UNIT_TIME;
}

bool row_is_bare(const struct row *row)
{
    return row->call >= CALL_ECHO;
}

const char *part_title(enum part part)
{
    static const char *const titles[PART_COUNT] = {
        [PART_OBJECTS] = "reads, by the number of objects",
        [PART_SIZES] = "reads, by the size of values",
        [PART_READERS] = "reading processes",
        [PART_CHANGES] = "changes, by the size of values",
        [PART_PLACED] = "both sides on given cores",
        [PART_WRITERS] = "writing processes",
        [PART_BATCHES] = "puts in batches",
        [PART_MIX] = "reads and changes: YCSB B",
        [PART_EXTRAS] = "buckets, lifetimes, waiting",
        [PART_GROWTH] = "growth",
        [PART_SINGLES] = "calls one by one",
    };

    return titles[part];
}

const char *call_name(enum call call)
{
    static const char *const names[CALL_COUNT] = {
        [CALL_GET] = "get",
        [CALL_VIEW] = "view",
        [CALL_EXISTS] = "exists",
        [CALL_INFO] = "info",
        [CALL_LIST] = "list",
        [CALL_OPEN] = "open + get",
        [CALL_PUT] = "put",
        [CALL_COPY] = "copy",
        [CALL_MOVE] = "move",
        [CALL_DELETE] = "delete",
        [CALL_BATCH] = "put in a batch,",
        [CALL_BUCKET] = "make and drop a bucket",
        [CALL_PUT_TTL] = "put with a lifetime",
        [CALL_PUT_LRU] = "put into a full lru bucket",
        [CALL_HITS] = "hits, keys by Zipf's law",
        [CALL_SCAN_HITS] = "hits after a scan",
        [CALL_LRU_HITS] = "exact LRU: hits, keys by Zipf's law",
        [CALL_LRU_SCAN_HITS] = "exact LRU: hits after a scan",
        [CALL_WAKE] = "wake a waiter, and be woken",
        [CALL_BENCHMARK] = "redis-benchmark -P 16,",
        [CALL_START] = "start to ready",
        [CALL_OWN_MEMORY] = "memory of a daemon without objects",
        [CALL_CLIENT_MEMORY] = "memory for a client",
        [CALL_OBJECT_MEMORY] = "store memory for an object,",
        [CALL_IDLE_DAEMON] = "CPU of the daemon in 10 s",
        [CALL_IDLE_CLIENTS] = "CPU of the clients in 10 s",
        [CALL_MIX] = "90 % get, 10 % put",
        [CALL_ECHO] = "bare echo",
        [CALL_CLOCK] = "a look at the clock",
        [CALL_MEMCPY] = "memcpy",
        [CALL_MEMCPYS] = "two memcpys",
        [CALL_MEMCPYS_CACHED] = "two memcpys in cache",
    };

    return names[call];
}

void size_print(uint32_t size, char *text, size_t length)
{
    if (size >= 1U << 20)
        snprintf(text, length, "%u MiB", (unsigned)(size >> 20));
    else if (size >= 1U << 10)
        snprintf(text, length, "%u KiB", (unsigned)(size >> 10));
    else
        snprintf(text, length, "%u B", (unsigned)size);
}

void count_print(uint64_t count, char *text, size_t size)
{
    unsigned zeros = 0;

    for (; count >= 10 && count % 10 == 0; count /= 10)
        zeros++;
    snprintf(text, size, "%llue%u", (unsigned long long)count, zeros);
}

/* What tells the row from those of the same call and size. */
static void print_circumstances(const struct row *row, char *text, size_t size)
{
    char objects[32], bytes[16];

    count_print(row->objects, objects, sizeof(objects));
    size_print(row->writer, bytes, sizeof(bytes));
    if (row->part == PART_SINGLES)
        snprintf(text, size, "%s%s", row->writer ? " beside " : "", row->writer ? bytes : "");
    else if (row->processes > 0)
        snprintf(text, size, ", %u process%s%s%s", row->processes, row->processes > 1 ? "es" : "",
                 row->writer ? ", writer" : "", row->per_cpu ? ", per CPU" : "");
    else if (row->clients > 0)
        snprintf(text, size, ", %u idle client%s", row->clients, row->clients > 1 ? "s" : "");
    else if (row->cores > 0)
        snprintf(text, size, ", on %s", row->cores == 1 ? "one core" : "two cores");
    else if (row->objects > 1)
        snprintf(text, size, " of %s", objects);
    else
        snprintf(text, size, "%s", row->objects == 1 ? ", one object" : "");
}

void row_print(const struct row *row, char *text, size_t size)
{
    char bytes[20] = "", circumstances[64], percentile[16] = "";

    if (row->size > 0) {
        bytes[0] = ' ';
        size_print(row->size, bytes + 1, sizeof(bytes) - 1);
    }
    print_circumstances(row, circumstances, sizeof(circumstances));
    if (row->percentile > 0)
        snprintf(percentile, sizeof(percentile), ", p%g", row->percentile / 10.0);
    if (row->call == CALL_LIST)
        snprintf(text, size, "list %d%s", LIST_LENGTH, circumstances);
    else
        snprintf(text, size, "%s%s%s%s", call_name(row->call), bytes, circumstances, percentile);
}
