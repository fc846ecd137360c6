/* What memstore alone has. */
#include "bench/extras.h"
#include "bench/process.h"
#include "bench/race.h"
#include "bench/stages.h"

static struct race race;

static void add(enum call call, uint32_t size, const struct keys *keys)
{
    race_add(&race, &(struct row){.part = PART_EXTRAS, .call = call, .size = size}, keys);
}

void stage_extras(void)
{
    struct keys keys = keys_of_size(STAGE_SET, SMALL), lasting = keys_of_size('t', SMALL);
    pid_t waiter = subject_start_waiter();

    run_progress("buckets, lifetimes, waiting");
    race_open(&race, true);
    race_store_one(&race, &keys, SMALL, SUBJECT_MEMSTORE);
    add(CALL_BUCKET, 0, &keys);
    race_add_one(&race, &(struct row){.part = PART_EXTRAS, .call = CALL_PUT, .size = SMALL}, &keys,
                 SUBJECT_MEMSTORE);
    race_add_one(&race, &(struct row){.part = PART_EXTRAS, .call = CALL_PUT, .size = SMALL}, &keys,
                 SUBJECT_SOCKET);
    add(CALL_PUT_TTL, SMALL, &lasting);
    add(CALL_WAKE, 0, &keys);
    add(CALL_ECHO, ECHO_BYTES, &keys);
    race_run(&race);
    race_close(&race);
    process_stop(waiter);
    keys_finish(&keys);
    keys_finish(&lasting);
}
