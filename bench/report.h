/* The results, for people and for programs. */
#ifndef BENCH_REPORT_H
#define BENCH_REPORT_H

#include "bench/machine.h"
#include "bench/targets.h"

struct report {
    struct fact facts[FACTS_MAX];
    size_t fact_count;
    struct target targets[TARGETS_MAX];
    size_t target_count;
};

/* Prints tables. */
void report_print(const struct report *report);

/* Writes a JSON file. */
void report_write(const struct report *report, const char *path);

/* Draws times against sizes, and rates; the data goes to a file of their own. Without gnuplot it
 * does not. */
void report_draw(const char *data_path, const char *svg_path);

#endif
