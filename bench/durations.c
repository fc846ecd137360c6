#include "bench/durations.h"

const unsigned durations_percentiles[] = {500, 900, 990, 999, 0};

void durations_clear(struct durations *durations)
{
    durations->count = 0;
}

bool durations_add(struct durations *durations, double ns)
{
    if (durations->count == DURATIONS_MAX)
        return false;
    durations->ns[durations->count++] = ns;
    return true;
}

void durations_report(struct durations *durations, const struct row *row, int subject)
{
    struct row of = *row;

    timing_sort(durations->ns, durations->count);
    for (size_t i = 0; durations_percentiles[i]; i++) {
        of.percentile = durations_percentiles[i];
        results_add(results_at(&of, subject),
                    timing_at(durations->ns, durations->count, of.percentile / 1000.0));
    }
}
