#include "bench/report.h"

#include "bench/report_format.h"
#include "bench/report_private.h"

#include <stdio.h>

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
    report_print_rows();
    report_print_singles();
    report_print_growth();
    report_print_bare();
    print_targets(report);
    if (settings.quick)
        printf("\nA quick run: short slices, few rounds, a smaller store.\n");
}
