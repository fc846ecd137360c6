/* The parts of the report for people. */
#ifndef BENCH_REPORT_PRIVATE_H
#define BENCH_REPORT_PRIVATE_H

/* The contest, call by call. */
void report_print_rows(void);

/* The percentiles of calls that were timed one by one. */
void report_print_singles(void);

/* What grows with objects and clients. */
void report_print_growth(void);

/* What bounds them all. */
void report_print_bare(void);

#endif
