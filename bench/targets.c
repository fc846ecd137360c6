#include "bench/targets_list.h"

#include <stdarg.h>
#include <stdio.h>

struct term term(struct row row, int subject)
{
    return (struct term){.row = row, .subject = subject, .factor = 1};
}

struct term times(double factor, struct row row, int subject)
{
    return (struct term){.row = row, .subject = subject, .factor = factor};
}

struct term constant(double number)
{
    return (struct term){.subject = NOBODY, .factor = number};
}

static bool value_of(const struct term *term, unsigned round, double *ret_value)
{
    const struct result *result;

    *ret_value = term->factor;
    if (term->factor == 0 || term->subject == NOBODY)
        return true;
    result = results_find(&term->row, term->subject);
    if (!result || round >= result->count)
        return false;
    *ret_value *= result->samples[round];
    return true;
}

/* The median of the rounds' own ratios: what slowed a round down slowed both sides. */
static bool ratio_of(const struct term *above, const struct term below[2], struct spread *ret_ratio)
{
    double ratios[ROUNDS_MAX], numerator, denominator, more;
    unsigned count = 0;

    while (count < ROUNDS_MAX && value_of(above, count, &numerator) &&
           value_of(&below[0], count, &denominator) && value_of(&below[1], count, &more)) {
        ratios[count] = numerator / (denominator + more);
        count++;
    }
    *ret_ratio = timing_spread(ratios, count);
    return count > 0;
}

static struct target *add(struct targets *targets, const struct term *above,
                          const struct term below[2], const char *format, va_list arguments)
{
    struct target *target = &targets->list[targets->count];

    if (targets->count == TARGETS_MAX)
        run_fail("too many targets");
    targets->count++;
    *target = (struct target){.group = targets->group};
    vsnprintf(target->text, sizeof(target->text), format, arguments);
    target->is_known = ratio_of(above, below, &target->ratio);
    return target;
}

struct target *targets_add(struct targets *targets, struct term above, struct term below,
                           const char *format, ...)
{
    const struct term both[2] = {below, constant(0)};
    struct target *target;
    va_list arguments;

    va_start(arguments, format);
    target = add(targets, &above, both, format, arguments);
    va_end(arguments);
    return target;
}

struct target *targets_add_sum(struct targets *targets, struct term above,
                               const struct term below[2], const char *format, ...)
{
    struct target *target;
    va_list arguments;

    va_start(arguments, format);
    target = add(targets, &above, below, format, arguments);
    va_end(arguments);
    return target;
}

void at_most(struct target *target, double bound)
{
    target->bound = bound;
    target->is_met = target->is_known && target->ratio.median <= bound;
}

void at_least(struct target *target, double bound)
{
    target->at_least = true;
    target->bound = bound;
    target->is_met = target->is_known && target->ratio.median >= bound;
}

size_t targets_evaluate(struct target ret_targets[TARGETS_MAX])
{
    struct targets targets = {.list = ret_targets};

    targets_of_reads(&targets);
    targets_of_changes(&targets);
    targets_of_extras(&targets);
    targets_of_growth(&targets);
    return targets.count;
}
