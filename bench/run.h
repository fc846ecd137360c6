/* The run as a whole: what was asked for, its private folder, and how it ends. */
#ifndef BENCH_RUN_H
#define BENCH_RUN_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#define RUN_PATH 96 /* bytes of a path in the run's folder; fits a socket's address */
#define ROUNDS_MAX 31

struct settings {
    bool quick;
    const char *build; /* folder of memstored, and of the results */
    const char *svg;   /* where the chart goes */
    unsigned rounds;
    int64_t slice_ns;        /* of one contestant in one round */
    int64_t singles_ns;      /* the same, where each call is timed */
    int64_t workers_ns;      /* of one group of processes in one round */
    uint64_t few, many, all; /* objects in the store: three stages */
};

extern struct settings settings; /* main sets it before anything else */

/* Makes the folder, and sees to it that the end of the process, whatever it is, takes away the
 * folder and the processes that were started. */
void run_begin(void);

/* Ends the run if a signal came, or its time is over. Called often. */
void run_check(void);

/* Ends the run with a reason. In a child process it ends the child. */
_Noreturn void run_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The path of a file in the run's folder. */
void run_path(char path[RUN_PATH], const char *name);

/* Tells people what is going on, and since when. */
void run_progress(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Memory that the process and its later children share, zeroed; or the run fails. */
void *run_share(uint64_t size);

/* A file to write, and the end of writing it; or the run fails. */
FILE *run_create(const char *path);
void run_written(FILE *file, const char *path);

/* Memory, zeroed; or the run fails. */
void *run_allocate(uint64_t size);

#endif
