/* The machine and the programs that a run's figures belong to. */
#ifndef BENCH_MACHINE_H
#define BENCH_MACHINE_H

#include <stddef.h>

#define FACTS_MAX 12

struct fact {
    const char *name; /* for programs */
    char text[160];
};

/* The cores that this process may run on. */
unsigned machine_cores(void);

/* Fills in what is known of it; returns how many facts. Call it before the run: load is one. */
size_t machine_describe(struct fact *ret_facts);

#endif
