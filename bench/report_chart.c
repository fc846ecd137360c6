/* The results as a chart: times of a get and of a put against the value's size, and rates. */
#include "bench/process.h"
#include "bench/report.h"
#include "bench/stages.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define SCRIPT "bench/chart.gp"

struct line {
    enum part part;
    enum call call;
    int subject;
};

/* The columns of the data, after the size; the script knows them by number. */
static const struct line lines[] = {
    {PART_SIZES, CALL_VIEW, SUBJECT_MEMSTORE},   {PART_SIZES, CALL_GET, SUBJECT_MEMSTORE},
    {PART_SIZES, CALL_GET, SUBJECT_SOCKET},      {PART_SIZES, CALL_GET, SUBJECT_MEMCACHED},
    {PART_SIZES, CALL_GET, SUBJECT_REDIS},       {PART_CHANGES, CALL_PUT, SUBJECT_MEMSTORE},
    {PART_CHANGES, CALL_PUT, SUBJECT_MEMCACHED}, {PART_CHANGES, CALL_PUT, SUBJECT_REDIS},
    {PART_SIZES, CALL_MEMCPY, SUBJECT_MEMCPY},
};

/* The groups of bars: who does how many of these in a second. */
static const struct bars {
    const char *name;
    struct row row;
} bars[] = {
    {"put 128 B", {.part = PART_CHANGES, .call = CALL_PUT, .size = SMALL}},
    {"put 1 MiB", {.part = PART_CHANGES, .call = CALL_PUT, .size = MIB}},
    {"put 16 MiB", {.part = PART_CHANGES, .call = CALL_PUT, .size = READ_MAX}},
    {"put 128 B, 100 at a time", {.part = PART_BATCHES, .call = CALL_BATCH, .size = SMALL}},
    {"YCSB B, 8 processes",
     {.part = PART_MIX,
      .call = CALL_MIX,
      .size = STAGE_MIX_BYTES,
      .objects = STAGE_MIX_OBJECTS,
      .processes = STAGE_MIX_PROCESSES}},
};

/* The columns of their data. */
static const int bar_subjects[] = {SUBJECT_MEMSTORE, SUBJECT_MEMCACHED, SUBJECT_REDIS};

/* Writes a column of a result's median: as it is in units, or as the rate of such times. */
static void write_median(FILE *file, const struct result *result, double unit, bool as_rate)
{
    double median = result ? results_spread(result).median : 0;

    if (!result)
        fprintf(file, " NaN");
    else
        fprintf(file, " %.4g", as_rate ? (double)SECOND_NS / median : median / unit);
}

static void write_lines(FILE *file)
{
    for (const uint32_t *size = stage_all_sizes; *size; size++) {
        fprintf(file, "%u", (unsigned)*size);
        for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
            const struct row row = {.part = lines[i].part, .call = lines[i].call, .size = *size};

            write_median(file, results_find(&row, lines[i].subject), (double)MICROSECOND_NS, false);
        }
        fprintf(file, "\n");
    }
}

static void write_bars(FILE *file)
{
    for (size_t i = 0; i < sizeof(bars) / sizeof(bars[0]); i++) {
        const struct row *row = &bars[i].row;

        fprintf(file, "\"%s\"", bars[i].name);
        for (size_t j = 0; j < sizeof(bar_subjects) / sizeof(bar_subjects[0]); j++)
            write_median(file, results_find(row, bar_subjects[j]), 1, row_unit(row) == UNIT_TIME);
        fprintf(file, "\n");
    }
}

static void run_gnuplot(const char *data_path, const char *svg_path)
{
    pid_t pid = process_fork();

    if (pid == 0) {
        execlp("gnuplot", "gnuplot", "-c", SCRIPT, data_path, svg_path, (char *)NULL);
        run_fail("gnuplot: %s", strerror(errno));
    }
    process_join(pid);
}

void report_draw(const char *data_path, const char *svg_path)
{
    FILE *file = run_create(data_path);

    write_lines(file);
    fprintf(file, "\n\n"); /* another set of data */
    write_bars(file);
    run_written(file, data_path);
    if (process_is_installed("gnuplot"))
        run_gnuplot(data_path, svg_path);
    else
        run_progress("gnuplot is not installed: no chart (make bench-deps)");
}
