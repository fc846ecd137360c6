/* The machine and the programs that a run's figures belong to. */
#ifndef BENCH_MACHINE_H
#define BENCH_MACHINE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define FACTS_MAX 12

struct fact {
    const char *name; /* for programs */
    char text[160];
};

/* The cores that this process may run on. */
unsigned machine_cores(void);

#define MACHINE_ANY (-1)

/* Lets a process, with all its threads, run on one core only, which it names by its place among
 * those that this process had at first; or on any of them. Process 0 is this one. */
void machine_place(pid_t pid, int core);

/* Bytes of memory of a process that are resident. */
uint64_t machine_memory(pid_t pid);

/* Nanoseconds of processor time that all threads of a process have used. */
int64_t machine_cpu(pid_t pid);

/* Fills in what is known of it; returns how many facts. Call it before the run: load is one. */
size_t machine_describe(struct fact *ret_facts);

#endif
