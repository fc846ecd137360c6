/* The stages of the run, in the order in which main goes through them. */
#ifndef BENCH_STAGES_H
#define BENCH_STAGES_H

#include "bench/keys.h"
#include "bench/timing.h"

#include <stdint.h>

/* Fills all stores up to so many small objects, from `from` of them. */
void stage_fill(uint64_t from, uint64_t to);

/* Reads of small objects, in a store of so many. */
void stage_small(uint64_t objects);

/* Reads of values of every size; in the same race those of small objects. */
void stage_sizes(uint64_t objects);

/* Listing a part of so many. */
void stage_list(uint64_t objects);

/* Opening a store of so many, up to the first value. */
void stage_open(uint64_t objects);

/* Puts of every size, copies, moves, deletes. */
void stage_changes(void);

/* Several processes that read a store of so many, with and without one that writes. */
void stage_readers(uint64_t objects);

/* Several processes that put, through rings and without. */
void stage_writers(uint64_t objects);

/* How many processes, the fewest first, and a 0. */
extern const unsigned stage_writers_groups[];

/* Many puts at a time. */
void stage_batches(void);

/* Processes that mostly read, sometimes put, and some objects far more often than others. It
 * empties the stores first. */
void stage_mix(void);

#define STAGE_MIX_OBJECTS 100000
#define STAGE_MIX_BYTES KIB
#define STAGE_MIX_PROCESSES 8

/* One process puts small values while another one puts large ones. */
void stage_beside(void);

/* What memstore alone has: buckets, lifetimes, waiting. */
void stage_extras(void);

/* What share of the gets from a cache for a tenth of so many keys are hits. */
void stage_hits(uint64_t keys);

/* Puts with both sides on one core, and on two. */
void stage_placed(void);

/* Calls that are timed one by one. */
void stage_singles(void);

/* What grows with objects and clients, and what the daemon itself needs; with daemons of its own.
 */
void stage_growth(void);

/* How many idle clients, the fewest first, and a 0. */
extern const unsigned stage_crowds[];

#define IDLE_CLIENTS 50
#define IDLE_NS (10 * SECOND_NS)

#define STAGE_SIZES 6
#define STAGE_SET 'r' /* the sets of objects of these sizes */

/* The sizes of values, the smallest first, and a 0. */
extern const uint32_t stage_all_sizes[STAGE_SIZES + 1];

#endif
