/* What was measured: a sample a round, for each row of the table and each contestant in it. */
#ifndef BENCH_RESULTS_H
#define BENCH_RESULTS_H

#include "bench/run.h"
#include "bench/subject.h"
#include "bench/timing.h"

#include <stddef.h>

/* The parts of the table. Rows of one part are measured in one race, where they can be. */
enum part {
    PART_OBJECTS, /* reads, by the number of objects */
    PART_SIZES,   /* reads, by the size of values */
    PART_READERS, /* processes that read */
    PART_CHANGES, /* by the size of values */
    PART_PLACED,  /* puts with both sides on one core, and on two */
    PART_WRITERS, /* processes that put */
    PART_BATCHES, /* puts, many at a time */
    PART_MIX,     /* reads and changes */
    PART_EXTRAS,  /* what memstore alone has */
    PART_SINGLES, /* calls that are timed one by one */
    PART_GROWTH,  /* by the number of objects and clients */
    PART_COUNT,
};

/* What a row is about. Two rows with equal members are the same. */
struct row {
    enum part part;
    enum call call;
    uint32_t size;       /* of the values */
    unsigned processes;  /* that do it at once; 0: this one. Then the samples are calls per second,
                            of all together, and else nanoseconds per call */
    uint64_t objects;    /* in the store, besides a few thousand; of a change: how many take part.
                            0: it does not matter */
    unsigned clients;    /* that are connected besides, and idle */
    uint32_t writer;     /* while another process puts values of so many bytes; 0: none does */
    unsigned cores;      /* for both sides: 1 or 2; 0: as the scheduler has it */
    unsigned percentile; /* of calls that are timed one by one, in tenths of a percent; 0: none.
                            The samples are nanoseconds */
    bool per_cpu;        /* calls per second of the processes' own processor time */
};

struct result {
    struct row row;
    int subject;
    unsigned count;
    double samples[ROUNDS_MAX];
    double total_ns, total_calls; /* of everything that was timed */
};

/* Where a row's samples of a subject go, or are; made if new. */
struct result *results_at(const struct row *row, int subject);

/* NULL if there is none, or none with samples. */
const struct result *results_find(const struct row *row, int subject);

void results_add(struct result *result, double sample);

/* Counts what was timed towards the mean, whatever the samples leave out. */
void results_add_time(struct result *result, double ns, double calls);

struct spread results_spread(const struct result *result);

/* The rows, in the order in which they were made; NULL beyond the end. */
const struct row *results_row(size_t index);

/* What the samples are: nanoseconds, calls per second, bytes, percent. */
enum unit { UNIT_TIME, UNIT_RATE, UNIT_BYTES, UNIT_PERCENT };

enum unit row_unit(const struct row *row);

/* The row's name for people. */
void row_print(const struct row *row, char *text, size_t size);

/* It is about what bounds the others, and not about a contestant. */
bool row_is_bare(const struct row *row);

/* The part's name for people. */
const char *part_title(enum part part);

/* The call's name. */
const char *call_name(enum call call);

/* "1e6", where it is such a number. */
void count_print(uint64_t count, char *text, size_t size);

/* "128 B", "1 MiB". */
void size_print(uint32_t size, char *text, size_t length);

#endif
