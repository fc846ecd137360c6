#include "bench/targets.h"

#include "bench/machine.h"

#include <stdarg.h>
#include <stdio.h>

#define MIB (1U << 20)

/* factor x what a subject has in a row; subject -1: nothing. */
struct term {
    struct row row;
    int subject;
    double factor;
};

struct list {
    struct target *targets;
    size_t count, most;
};

static struct term term(struct row row, int subject)
{
    return (struct term){.row = row, .subject = subject, .factor = 1};
}

static struct term times(double factor, struct row row, int subject)
{
    return (struct term){.row = row, .subject = subject, .factor = factor};
}

static struct row small(enum call call, uint64_t objects)
{
    return (struct row){.call = call, .size = SMALL, .objects = objects};
}

static struct row sized(enum call call, uint32_t size)
{
    return (struct row){.call = call, .size = size};
}

static struct row group(unsigned processes, bool writer)
{
    return (struct row){.call = CALL_GET,
                        .size = SMALL,
                        .objects = settings.many,
                        .processes = processes,
                        .writer = writer};
}

/* The sum of up to two terms in one round. */
static bool sum_of(const struct term terms[2], unsigned round, double *ret_sum)
{
    *ret_sum = 0;
    for (unsigned i = 0; i < 2; i++) {
        const struct result *result;

        if (terms[i].factor == 0)
            continue;
        result = results_find(&terms[i].row, terms[i].subject);
        if (!result || round >= result->count)
            return false;
        *ret_sum += terms[i].factor * result->samples[round];
    }
    return true;
}

/* The median of the rounds' own ratios: what slowed a round down slowed both sides. */
static bool ratio_of(const struct term *above, const struct term below[2], struct spread *ret_ratio)
{
    const struct term both[2] = {*above, {.factor = 0}};
    double ratios[ROUNDS_MAX], numerator, denominator;
    unsigned count = 0;

    while (count < ROUNDS_MAX && sum_of(both, count, &numerator) &&
           sum_of(below, count, &denominator)) {
        ratios[count] = numerator / denominator;
        count++;
    }
    *ret_ratio = timing_spread(ratios, count);
    return count > 0;
}

static struct target *add(struct list *list, struct term above, struct term below,
                          struct term below_too)
{
    struct target *target = &list->targets[list->count];
    const struct term both[2] = {below, below_too};

    if (list->count == list->most)
        run_fail("too many targets");
    list->count++;
    *target = (struct target){0};
    target->is_known = ratio_of(&above, both, &target->ratio);
    return target;
}

static void name(struct target *target, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static void name(struct target *target, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(target->text, sizeof(target->text), format, arguments);
    va_end(arguments);
}

static void at_most(struct target *target, double bound)
{
    target->bound = bound;
    target->is_met = target->is_known && target->ratio.median <= bound;
}

static void at_least(struct target *target, double bound)
{
    target->at_least = true;
    target->bound = bound;
    target->is_met = target->is_known && target->ratio.median >= bound;
}

static const struct term nothing = {.factor = 0};

static void add_small_gets(struct list *list)
{
    const uint64_t counts[] = {settings.few, settings.many, settings.all};
    static const int peers[] = {SUBJECT_REDIS, SUBJECT_MEMCACHED};
    struct target *target;
    char count[32];

    for (size_t i = 0; i < 3; i++) {
        target = add(list, term(small(CALL_GET, counts[i]), SUBJECT_MEMSTORE),
                     term(small(CALL_VIEW, counts[i]), SUBJECT_RAW), nothing);
        count_print(counts[i], count, sizeof(count));
        name(target, "get 128 B of %s : raw LMDB's", count);
        at_most(target, 1.5);
    }
    for (size_t i = 0; i < 2; i++) {
        target = add(list, term(small(CALL_GET, settings.many), peers[i]),
                     term(small(CALL_GET, settings.many), SUBJECT_MEMSTORE), nothing);
        name(target, "%s get 128 B : get 128 B", subjects[peers[i]]->name);
        at_least(target, 50);
    }
}

static void add_large_reads(struct list *list)
{
    static const uint32_t sizes[] = {MIB, LARGEST};
    struct target *target;

    for (size_t i = 0; i < 2; i++) {
        target = add(list, term(sized(CALL_VIEW, sizes[i]), SUBJECT_MEMSTORE),
                     term(sized(CALL_VIEW, sizes[i]), SUBJECT_RAW), nothing);
        name(target, "view %u MiB : raw LMDB's get", (unsigned)(sizes[i] / MIB));
        at_most(target, 4);
    }
    target = add(list, term(sized(CALL_VIEW, LARGEST), SUBJECT_MEMSTORE),
                 term(sized(CALL_VIEW, MIB), SUBJECT_MEMSTORE), nothing);
    name(target, "view 16 MiB : view 1 MiB");
    at_most(target, 1.1);
    target = add(list, term(sized(CALL_GET, MIB), SUBJECT_MEMSTORE),
                 term(sized(CALL_GET, MIB), SUBJECT_RAW), nothing);
    name(target, "get 1 MiB : raw LMDB's get + memcpy");
    at_most(target, 1.15);
}

static void add_questions(struct list *list)
{
    static const enum call calls[] = {CALL_EXISTS, CALL_INFO};

    for (size_t i = 0; i < 2; i++) {
        struct target *target =
            add(list, term(small(calls[i], settings.many), SUBJECT_MEMSTORE),
                term(small(CALL_GET, settings.many), SUBJECT_MEMSTORE), nothing);

        name(target, "%s : get 128 B", call_name(calls[i]));
        at_most(target, 1);
    }
}

static void add_processes(struct list *list)
{
    unsigned cores = machine_cores() < 4 ? machine_cores() : 4;
    struct target *target = add(list, term(group(4, false), SUBJECT_MEMSTORE),
                                times(cores, group(1, false), SUBJECT_MEMSTORE), nothing);

    name(target, "gets of 4 processes : %u cores x those of 1", cores);
    at_least(target, 0.9);
    target = add(list, term(group(4, true), SUBJECT_MEMSTORE),
                 term(group(4, false), SUBJECT_MEMSTORE), nothing);
    name(target, "gets of 4 processes beside a writer : without it");
    at_least(target, 0.7);
}

static void add_open_and_list(struct list *list)
{
    char count[32];
    struct row echo = {.call = CALL_ECHO, .size = ECHO_BYTES, .objects = settings.many};
    struct target *target =
        add(list, term(small(CALL_OPEN, settings.many), SUBJECT_MEMSTORE),
            term(small(CALL_OPEN, settings.many), SUBJECT_RAW), times(2, echo, SUBJECT_ECHO));

    name(target, "open + first get : raw LMDB's + 2 echoes");
    at_most(target, 2);
    target = add(list, term(small(CALL_LIST, settings.all), SUBJECT_MEMSTORE),
                 term(small(CALL_LIST, settings.all), SUBJECT_RAW), nothing);
    count_print(settings.all, count, sizeof(count));
    name(target, "list %d of %s : raw LMDB's cursor", LIST_LENGTH, count);
    at_most(target, 2);
}

size_t targets_evaluate(struct target *ret_targets, size_t most)
{
    struct list list = {.targets = ret_targets, .most = most};

    add_small_gets(&list);
    add_large_reads(&list);
    add_questions(&list);
    add_processes(&list);
    add_open_and_list(&list);
    return list.count;
}
