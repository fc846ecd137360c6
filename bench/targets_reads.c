/* What is aimed at in reads. */
#include "bench/machine.h"
#include "bench/targets_list.h"

static struct row small(enum call call, uint64_t objects)
{
    return (struct row){.part = PART_OBJECTS, .call = call, .size = SMALL, .objects = objects};
}

static struct row sized(enum call call, uint32_t size)
{
    return (struct row){.part = PART_SIZES, .call = call, .size = size};
}

static struct row group(unsigned processes, bool writer)
{
    return (struct row){.part = PART_READERS,
                        .call = CALL_GET,
                        .size = SMALL,
                        .objects = settings.many,
                        .processes = processes,
                        .writer = writer ? SMALL : 0};
}

static void add_small_gets(struct targets *targets)
{
    const uint64_t counts[] = {settings.few, settings.many, settings.all};
    static const int peers[] = {SUBJECT_REDIS, SUBJECT_MEMCACHED};
    char count[32];

    for (size_t i = 0; i < 3; i++) {
        count_print(counts[i], count, sizeof(count));
        at_most(targets_add(targets, term(small(CALL_GET, counts[i]), SUBJECT_MEMSTORE),
                            term(small(CALL_VIEW, counts[i]), SUBJECT_RAW),
                            "get 128 B of %s : raw LMDB's", count),
                1.5);
    }
    for (size_t i = 0; i < 2; i++)
        at_least(targets_add(targets, term(small(CALL_GET, settings.many), peers[i]),
                             term(small(CALL_GET, settings.many), SUBJECT_MEMSTORE),
                             "%s get 128 B : get 128 B", subjects[peers[i]]->name),
                 50);
}

static void add_large_reads(struct targets *targets)
{
    static const uint32_t sizes[] = {MIB, READ_MAX};

    for (size_t i = 0; i < 2; i++)
        at_most(targets_add(targets, term(sized(CALL_VIEW, sizes[i]), SUBJECT_MEMSTORE),
                            term(sized(CALL_VIEW, sizes[i]), SUBJECT_RAW),
                            "view %u MiB : raw LMDB's get", (unsigned)(sizes[i] / MIB)),
                4);
    at_most(targets_add(targets, term(sized(CALL_VIEW, READ_MAX), SUBJECT_MEMSTORE),
                        term(sized(CALL_VIEW, MIB), SUBJECT_MEMSTORE), "view 16 MiB : view 1 MiB"),
            1.1);
    at_most(targets_add(targets, term(sized(CALL_GET, MIB), SUBJECT_MEMSTORE),
                        term(sized(CALL_GET, MIB), SUBJECT_RAW),
                        "get 1 MiB : raw LMDB's get + memcpy"),
            1.15);
}

static void add_questions(struct targets *targets)
{
    static const enum call calls[] = {CALL_EXISTS, CALL_INFO};

    for (size_t i = 0; i < 2; i++)
        at_most(targets_add(targets, term(small(calls[i], settings.many), SUBJECT_MEMSTORE),
                            term(small(CALL_GET, settings.many), SUBJECT_MEMSTORE),
                            "%s : get 128 B", call_name(calls[i])),
                1);
}

static void add_processes(struct targets *targets)
{
    unsigned cores = machine_cores() < 4 ? machine_cores() : 4;

    at_least(targets_add(targets, term(group(4, false), SUBJECT_MEMSTORE),
                         times(cores, group(1, false), SUBJECT_MEMSTORE),
                         "gets of 4 processes : %u cores x those of 1", cores),
             0.9);
    at_least(targets_add(targets, term(group(4, true), SUBJECT_MEMSTORE),
                         term(group(4, false), SUBJECT_MEMSTORE),
                         "gets of 4 processes beside a writer : without it"),
             0.7);
}

static void add_open_and_list(struct targets *targets)
{
    const struct row echo = {.part = PART_OBJECTS, .call = CALL_ECHO, .size = ECHO_BYTES};
    const struct term raw_and_echoes[2] = {term(small(CALL_OPEN, settings.many), SUBJECT_RAW),
                                           times(2, echo, SUBJECT_ECHO)};
    char count[32];

    at_most(targets_add_sum(targets, term(small(CALL_OPEN, settings.many), SUBJECT_MEMSTORE),
                            raw_and_echoes, "open + first get : raw LMDB's + 2 echoes"),
            2);
    count_print(settings.all, count, sizeof(count));
    at_most(targets_add(targets, term(small(CALL_LIST, settings.all), SUBJECT_MEMSTORE),
                        term(small(CALL_LIST, settings.all), SUBJECT_RAW),
                        "list %d of %s : raw LMDB's cursor", LIST_LENGTH, count),
            2);
}

void targets_of_reads(struct targets *targets)
{
    targets->group = "reads";
    add_small_gets(targets);
    add_large_reads(targets);
    add_questions(targets);
    add_processes(targets);
    add_open_and_list(targets);
}
