/* Numbers and columns as people read them. */
#ifndef BENCH_REPORT_FORMAT_H
#define BENCH_REPORT_FORMAT_H

#include "bench/results.h"

#define LABEL_WIDTH 42
#define CELL_WIDTH 17

/* Prints a text at the right of a column. */
void print_right(const char *text, int width);

/* Three digits that matter. */
void format_number(double number, const char *unit, char *text, size_t size);

/* A sample of the row, with its unit. */
void format_sample(const struct row *row, double sample, char *text, size_t size);

#endif
