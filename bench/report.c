#include "bench/report.h"

#include <stdio.h>
#include <string.h>

#define LABEL_WIDTH 34
#define SPREAD_WIDTH 8
#define CELL_WIDTH 17
#define COLUMNS 5 /* the subjects up to memcached; the others are no contestants */

/* Characters on the screen: bytes that do not continue one. */
static int width_of(const char *text)
{
    int width = 0;

    for (; *text; text++)
        width += (*text & 0xc0) != 0x80;
    return width;
}

static void print_right(const char *text, int width)
{
    printf("%*s%s", width - width_of(text) > 0 ? width - width_of(text) : 1, "", text);
}

/* Three digits that matter. */
static void format_number(double number, const char *unit, char *text, size_t size)
{
    int digits = number >= 99.95 ? 0 : number >= 9.995 ? 1 : 2;

    snprintf(text, size, "%.*f%s", digits, number, unit);
}

static void format_time(double ns, char *text, size_t size)
{
    if (ns >= (double)MILLISECOND_NS)
        format_number(ns / (double)MILLISECOND_NS, " ms", text, size);
    else
        format_number(ns / (double)MICROSECOND_NS, " µs", text, size);
}

static void format_rate(double per_second, char *text, size_t size)
{
    if (per_second >= 1e6)
        format_number(per_second / 1e6, " M/s", text, size);
    else
        format_number(per_second / 1e3, " k/s", text, size);
}

/* How many times slower than memstore's own. */
static double factor_of(const struct result *result, const struct result *own)
{
    double theirs = results_spread(result).median, ours = results_spread(own).median;

    return row_is_rate(&result->row) ? ours / theirs : theirs / ours;
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
    if (row_is_rate(row))
        format_rate(results_spread(result).median, cell, sizeof(cell));
    else
        format_time(results_spread(result).median, cell, sizeof(cell));
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

static void print_contest(void)
{
    for (enum part part = 0; part < PART_COUNT; part++)
        print_part(part);
    printf(
        "\nMedians of %u rounds, and how many times memstore's time that is; a round is the\n"
        "median of parts of 0.1 ms or one call; spread: the farthest quartile of a row. A row\n"
        "without a number of objects is about a set of up to 1,000 of them, 64 MiB at most.\n"
        "raw LMDB: equal records in an environment of this process; a get copies the value,\n"
        "the other reads do not. per CPU: calls per second of the readers' own processor time.\n",
        settings.rounds);
}

static void print_bare(void)
{
    const struct row *row;
    char label[96], cell[64];

    printf("\nbeside it\n");
    for (size_t i = 0; (row = results_row(i)); i++) {
        if (!row_is_bare(row))
            continue;
        row_print(row, label, sizeof(label));
        format_time(results_spread(
                        results_find(row, row->call == CALL_ECHO ? SUBJECT_ECHO : SUBJECT_MEMCPY))
                        .median,
                    cell, sizeof(cell));
        printf("%-*s", LABEL_WIDTH, label);
        print_right(cell, CELL_WIDTH);
        printf("   %s\n", part_title(row->part));
    }
}

static void print_target(const struct target *target)
{
    char bound[48], ratio[32] = "absent", spread[80] = "", low[32], high[32];

    format_number(target->bound, "", bound, sizeof(bound));
    if (target->is_known) {
        format_number(target->ratio.median, "", ratio, sizeof(ratio));
        format_number(target->ratio.low, "", low, sizeof(low));
        format_number(target->ratio.high, "", high, sizeof(high));
        snprintf(spread, sizeof(spread), "(%s to %s)", low, high);
    }
    printf("%-52s %-8s %6s %8s %-18s %s\n", target->text, target->at_least ? "at least" : "at most",
           bound, ratio, spread,
           !target->is_known ? "-"
           : target->is_met  ? "met"
                             : "NOT MET");
}

static void print_targets(const struct report *report)
{
    const char *group = NULL;

    printf("\ntargets: ratios of the same round, their median and quartiles\n");
    for (size_t i = 0; i < report->target_count; i++) {
        if (report->targets[i].group != group)
            printf("  %s\n", group = report->targets[i].group);
        print_target(&report->targets[i]);
    }
}

void report_print(const struct report *report)
{
    printf("memstore bench");
    for (size_t i = 0; i < report->fact_count; i++)
        printf("\n  %-10s %s", report->facts[i].name, report->facts[i].text);
    printf("\n");
    print_contest();
    print_bare();
    print_targets(report);
    if (settings.quick)
        printf("\nA quick run: short slices, few rounds, a smaller store.\n");
}
