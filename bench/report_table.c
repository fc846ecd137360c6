/* The results as tables: a row each, with a column for each contestant. */
#include "bench/durations.h"
#include "bench/report_format.h"
#include "bench/report_private.h"

#include <stdio.h>
#include <string.h>

#define SPREAD_WIDTH 8
#define COLUMNS 5 /* the subjects up to memcached; the others are no contestants */

/* How many times slower than memstore's own. */
static double factor_of(const struct result *result, const struct result *own)
{
    double theirs = results_spread(result).median, ours = results_spread(own).median;

    return row_unit(&result->row) == UNIT_RATE ? ours / theirs : theirs / ours;
}

/* Of a call that it would have. */
static bool is_absent(const struct row *row, int subject)
{
    return !subject_is_present(subject) && subjects[subject]->calls[row->call];
}

static void print_cell(const struct row *row, int subject)
{
    const struct result *result = results_find(row, subject);
    const struct result *own = results_find(row, SUBJECT_MEMSTORE);
    char cell[64], factor[32];

    if (!result) {
        print_right(is_absent(row, subject) ? "absent" : "-", CELL_WIDTH);
        return;
    }
    format_sample(row, results_spread(result).median, cell, sizeof(cell));
    if (subject != SUBJECT_MEMSTORE && own) {
        size_t length = strlen(cell);

        format_number(factor_of(result, own), "x", factor, sizeof(factor));
        snprintf(cell + length, sizeof(cell) - length, " %6s", factor);
    }
    print_right(cell, CELL_WIDTH);
}

static void print_heading(enum part part)
{
    printf("\n%-*s", LABEL_WIDTH, part_title(part));
    for (int i = 0; i < COLUMNS; i++)
        print_right(subjects[i]->name, CELL_WIDTH);
    print_right("spread", SPREAD_WIDTH);
    printf("\n");
}

/* How far the quartiles are from the median, where they are farthest. */
static double widest_spread(const struct row *row)
{
    double widest = 0;

    for (int i = 0; i < COLUMNS; i++) {
        const struct result *result = results_find(row, i);
        struct spread spread;
        double above, below;

        if (!result)
            continue;
        spread = results_spread(result);
        above = (spread.high - spread.median) / spread.median;
        below = (spread.median - spread.low) / spread.median;
        widest = above > widest ? above : widest;
        widest = below > widest ? below : widest;
    }
    return widest;
}

static void print_row(const struct row *row)
{
    char label[96], spread[32];

    row_print(row, label, sizeof(label));
    printf("%-*s", LABEL_WIDTH, label);
    for (int subject = 0; subject < COLUMNS; subject++)
        print_cell(row, subject);
    snprintf(spread, sizeof(spread), "%.0f %%", widest_spread(row) * 100);
    print_right(spread, SPREAD_WIDTH);
    printf("\n");
}

static void print_part(enum part part)
{
    const struct row *row;

    print_heading(part);
    for (int call = 0; call < CALL_COUNT; call++)
        for (size_t i = 0; (row = results_row(i)); i++)
            if ((int)row->call == call && !row_is_bare(row) && row->part == part)
                print_row(row);
}

void report_print_rows(void)
{
    for (enum part part = 0; part < PART_COUNT; part++)
        if (part != PART_SINGLES && part != PART_GROWTH)
            print_part(part);
    printf(
        "\nMedians of %u rounds, and how many times memstore's time that is; a round is the\n"
        "median of parts of 0.1 ms or one call; spread: the farthest quartile of a row. A row\n"
        "without a number of objects is about a set of up to 1,000 of them, 64 MiB at most.\n"
        "raw LMDB: equal records in an environment of this process; a get copies the value,\n"
        "the other reads do not. per CPU: calls per second of the readers' own processor time.\n"
        "Who waits for another process waits far longer on another core than on its own, unless\n"
        "both keep looking; the scheduler chooses, for all alike, and a wide spread says that it\n"
        "chose differently. Where both sides are on given cores it has no choice.\n",
        settings.rounds);
}

/* The percentiles of a subject's calls, if this is the first of their rows. */
static void print_single(const struct row *row, int subject)
{
    char label[96], cell[64];
    struct row of = *row;

    of.percentile = 0;
    row_print(&of, label, sizeof(label));
    printf("%-*s", LABEL_WIDTH, label);
    print_right(subjects[subject]->name, CELL_WIDTH);
    for (size_t i = 0; durations_percentiles[i]; i++) {
        const struct result *result;

        of.percentile = durations_percentiles[i];
        result = results_find(&of, subject);
        format_sample(&of, result ? results_spread(result).median : 0, cell, sizeof(cell));
        print_right(cell, CELL_WIDTH);
    }
    printf("\n");
}

static void print_growth(const struct row *row)
{
    const struct result *result = results_find(row, SUBJECT_MEMSTORE);
    const struct spread spread = results_spread(result);
    const double columns[] = {spread.median, spread.low, spread.high};
    char label[96], cell[64];

    row_print(row, label, sizeof(label));
    printf("%-*s", LABEL_WIDTH, label);
    for (size_t i = 0; i < (result->count > 1 ? 3 : 1); i++) {
        format_sample(row, columns[i], cell, sizeof(cell));
        print_right(cell, CELL_WIDTH);
    }
    printf("\n");
}

void report_print_singles(void)
{
    const struct row *row;
    char cell[16];

    printf("\n%-*s", LABEL_WIDTH + CELL_WIDTH, part_title(PART_SINGLES));
    for (size_t i = 0; durations_percentiles[i]; i++) {
        snprintf(cell, sizeof(cell), "p%g", durations_percentiles[i] / 10.0);
        print_right(cell, CELL_WIDTH);
    }
    printf("\n");
    for (size_t i = 0; (row = results_row(i)); i++)
        for (int subject = 0; subject < COLUMNS; subject++)
            if (row->percentile == durations_percentiles[0] && results_find(row, subject))
                print_single(row, subject);
    printf("\nMedians of the percentiles of %u rounds of %lld ms. Each call is timed, the look at "
           "the\n"
           "clock included; where a round has under 1,000 of them, its slowest one is p99.9.\n",
           settings.rounds, (long long)(settings.singles_ns / MILLISECOND_NS));
}

void report_print_growth(void)
{
    const struct row *row;

    printf("\n%-*s", LABEL_WIDTH, part_title(PART_GROWTH));
    print_right("median", CELL_WIDTH);
    print_right("low", CELL_WIDTH);
    print_right("high", CELL_WIDTH);
    printf("\n");
    for (size_t i = 0; (row = results_row(i)); i++)
        if (row->part == PART_GROWTH)
            print_growth(row);
    printf("\nmemstore alone; each number of objects or clients has a daemon of its own, and these "
           "take\n"
           "turns. Memory of a daemon: all that is resident, libraries and clients' rings too.\n");
}

void report_print_bare(void)
{
    const struct row *row;
    char label[96], cell[64];

    printf("\nbeside it\n");
    for (size_t i = 0; (row = results_row(i)); i++) {
        const struct result *result =
            results_find(row, row->call == CALL_ECHO ? SUBJECT_ECHO : SUBJECT_MEMCPY);

        if (!row_is_bare(row) || !result)
            continue;
        row_print(row, label, sizeof(label));
        format_sample(row, results_spread(result).median, cell, sizeof(cell));
        printf("%-*s", LABEL_WIDTH, label);
        print_right(cell, CELL_WIDTH);
        printf("   %s\n", part_title(row->part));
    }
}
