/* What is aimed at in growth: none, or that of a logarithm; and what a daemon may need. */
#include "bench/stages.h"
#include "bench/targets_list.h"

#include <math.h>

#define OBJECT_BYTES 100

static struct row row(enum call call, uint32_t size, uint64_t objects, unsigned clients)
{
    return (struct row){
        .part = PART_GROWTH, .call = call, .size = size, .objects = objects, .clients = clients};
}

static struct term put(uint64_t objects, unsigned clients)
{
    return term(row(CALL_PUT, OBJECT_BYTES, objects, clients), SUBJECT_MEMSTORE);
}

static void add_objects(struct targets *targets)
{
    const uint64_t counts[] = {settings.many, settings.all};
    char few[32], count[32];

    count_print(settings.few, few, sizeof(few));
    for (size_t i = 0; i < 2; i++) {
        count_print(counts[i], count, sizeof(count));
        at_most(targets_add(targets, put(counts[i], 0), put(settings.few, 0),
                            "put, %s objects : %s, as their logarithms", count, few),
                log((double)counts[i]) / log((double)settings.few));
    }
}

static void add_clients(struct targets *targets)
{
    for (size_t i = 1; stage_crowds[i]; i++)
        at_most(targets_add(targets, put(0, stage_crowds[i]), put(0, stage_crowds[0]),
                            "put, %u idle clients : %u", stage_crowds[i], stage_crowds[0]),
                1.5);
}

/* Adds a target for a number of bytes or nanoseconds, counted in others. */
static struct target *add_number(struct targets *targets, struct row of, double unit,
                                 const char *name)
{
    return targets_add(targets, term(of, SUBJECT_MEMSTORE), constant(unit), "%s", name);
}

static void add_needs(struct targets *targets)
{
    at_most(add_number(targets, row(CALL_START, 0, 0, 0), MILLISECOND_NS,
                       "start of a daemon to ready, ms"),
            20);
    at_most(add_number(targets, row(CALL_OWN_MEMORY, 0, 0, 0), MIB,
                       "memory of a daemon without objects, MiB"),
            4);
    at_most(add_number(targets, row(CALL_CLIENT_MEMORY, 0, 0, 1000), KIB,
                       "memory of a daemon for an idle client, KiB"),
            64);
    at_most(add_number(targets, row(CALL_OBJECT_MEMORY, OBJECT_BYTES, settings.all, 0), 1,
                       "store memory for an object of 100 B, bytes"),
            260);
    at_most(add_number(targets, row(CALL_IDLE_DAEMON, 0, 0, IDLE_CLIENTS), MILLISECOND_NS,
                       "CPU of a daemon in 10 s, 50 idle clients, ms"),
            10);
    at_most(add_number(targets, row(CALL_IDLE_CLIENTS, 0, 0, IDLE_CLIENTS), MILLISECOND_NS,
                       "CPU of these clients, ms"),
            10);
}

void targets_of_growth(struct targets *targets)
{
    targets->group = "growth";
    add_objects(targets);
    add_clients(targets);
    add_needs(targets);
}
