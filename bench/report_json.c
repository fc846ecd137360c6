/* The results as JSON. */
#include "bench/report.h"

#include <stdio.h>
#include <string.h>

static void write_string(FILE *file, const char *text)
{
    fputc('"', file);
    for (; *text; text++) {
        if (*text == '"' || *text == '\\')
            fprintf(file, "\\%c", *text);
        else if ((unsigned char)*text < ' ')
            fprintf(file, "\\u%04x", (unsigned)*text);
        else
            fputc(*text, file);
    }
    fputc('"', file);
}

static void write_spread(FILE *file, const struct spread *spread)
{
    fprintf(file, "\"median\": %.6g, \"low\": %.6g, \"high\": %.6g", spread->median, spread->low,
            spread->high);
}

static void write_machine(FILE *file, const struct report *report)
{
    fprintf(file, "  \"machine\": {");
    for (size_t i = 0; i < report->fact_count; i++) {
        fprintf(file, "%s\n    \"%s\": ", i > 0 ? "," : "", report->facts[i].name);
        write_string(file, report->facts[i].text);
    }
    fprintf(file, "\n  },\n");
}

static void write_absent(FILE *file)
{
    const char *comma = "";

    fprintf(file, "  \"absent\": [");
    for (int i = 0; i < SUBJECT_COUNT; i++)
        if (!subject_is_present(i)) {
            fprintf(file, "%s\"%s\"", comma, subjects[i]->id);
            comma = ", ";
        }
    fprintf(file, "],\n");
}

static void write_contestants(FILE *file, const struct row *row)
{
    const char *comma = "";

    for (int i = 0; i < SUBJECT_COUNT; i++) {
        const struct result *result = results_find(row, i);
        struct spread spread;

        if (!result)
            continue;
        spread = results_spread(result);
        fprintf(file, "%s\n        \"%s\": {", comma, subjects[i]->id);
        write_spread(file, &spread);
        if (result->total_calls > 0)
            fprintf(file, ", \"mean\": %.6g", result->total_ns / result->total_calls);
        fprintf(file, ", \"samples\": [");
        for (unsigned j = 0; j < result->count; j++)
            fprintf(file, "%s%.6g", j > 0 ? ", " : "", result->samples[j]);
        fprintf(file, "]}");
        comma = ",";
    }
}

static const char *unit_name(const struct row *row)
{
    static const char *const names[] = {[UNIT_TIME] = "ns",
                                        [UNIT_RATE] = "calls per second",
                                        [UNIT_BYTES] = "bytes",
                                        [UNIT_PERCENT] = "percent"};

    return row->per_cpu ? "calls per CPU second" : names[row_unit(row)];
}

static void write_rows(FILE *file)
{
    const struct row *row;
    char label[96];

    fprintf(file, "  \"rows\": [");
    for (size_t i = 0; (row = results_row(i)); i++) {
        row_print(row, label, sizeof(label));
        fprintf(file, "%s\n    {\"row\": \"%s\", \"part\": \"%s\", \"call\": \"%s\", ",
                i > 0 ? "," : "", label, part_title(row->part), call_name(row->call));
        fprintf(file, "\"size\": %u, \"objects\": %llu, \"processes\": %u, \"writer\": %u, ",
                (unsigned)row->size, (unsigned long long)row->objects, row->processes,
                (unsigned)row->writer);
        fprintf(file, "\"clients\": %u, \"cores\": %u, \"percentile\": %g, \"unit\": \"%s\",\n",
                row->clients, row->cores, row->percentile / 10.0, unit_name(row));
        fprintf(file, "      \"results\": {");
        write_contestants(file, row);
        fprintf(file, "}}");
    }
    fprintf(file, "\n  ],\n");
}

static void write_targets(FILE *file, const struct report *report)
{
    fprintf(file, "  \"targets\": [");
    for (size_t i = 0; i < report->target_count; i++) {
        const struct target *target = &report->targets[i];

        fprintf(file, "%s\n    {\"group\": \"%s\", \"target\": \"%s\", \"%s\": %g, ",
                i > 0 ? "," : "", target->group, target->text,
                target->at_least ? "at_least" : "at_most", target->bound);
        if (target->is_known) {
            write_spread(file, &target->ratio);
            fprintf(file, ", \"met\": %s}", target->is_met ? "true" : "false");
        } else {
            fprintf(file, "\"met\": null}");
        }
    }
    fprintf(file, "\n  ]\n");
}

void report_write(const struct report *report, const char *path)
{
    FILE *file = run_create(path);

    fprintf(file, "{\n  \"quick\": %s,\n  \"rounds\": %u,\n", settings.quick ? "true" : "false",
            settings.rounds);
    write_machine(file, report);
    write_absent(file);
    write_rows(file);
    write_targets(file, report);
    fprintf(file, "}\n");
    run_written(file, path);
}
