/* The results as a chart: the times of a get and of a put against the value's size. */
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

static void write_data(FILE *file)
{
    for (const uint32_t *size = stage_all_sizes; *size; size++) {
        fprintf(file, "%u", (unsigned)*size);
        for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
            const struct row row = {.part = lines[i].part, .call = lines[i].call, .size = *size};
            const struct result *result = results_find(&row, lines[i].subject);

            if (result)
                fprintf(file, " %.4g", results_spread(result).median / (double)MICROSECOND_NS);
            else
                fprintf(file, " NaN");
        }
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

    write_data(file);
    run_written(file, data_path);
    if (process_is_installed("gnuplot"))
        run_gnuplot(data_path, svg_path);
    else
        run_progress("gnuplot is not installed: no chart (make bench-deps)");
}
