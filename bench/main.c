/*
 * make bench: memstore beside redis, memcached and raw LMDB, on this machine, in one run. Starts
 * them all itself, on private sockets in a private folder; nothing is left of them afterwards.
 */
#include "bench/process.h"
#include "bench/report.h"
#include "bench/run.h"
#include "bench/stages.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char usage[] = "usage: bench BUILD SVG [quick]\n";

static const struct settings full = {.rounds = 15,
                                     .slice_ns = 25 * MILLISECOND_NS,
                                     .singles_ns = 50 * MILLISECOND_NS,
                                     .workers_ns = 120 * MILLISECOND_NS,
                                     .few = 100,
                                     .many = 10000,
                                     .all = 1000000};

static const struct settings quick = {.quick = true,
                                      .rounds = 5,
                                      .slice_ns = 8 * MILLISECOND_NS,
                                      .singles_ns = 10 * MILLISECOND_NS,
                                      .workers_ns = 60 * MILLISECOND_NS,
                                      .few = 100,
                                      .many = 10000,
                                      .all = 100000};

/* What the caller's environment says to the daemon or the library is not for us. */
static void clear_environment(void)
{
    static const char *const names[] = {
        "MEMSTORE_SOCKET",      "MEMSTORE_DATA",   "MEMSTORE_MAX_SIZE",   "MEMSTORE_MAX_MEMORY",
        "MEMSTORE_SOCKET_MODE", "MEMSTORE_KEEP",   "MEMSTORE_ALLOW_DISK", "MEMSTORE_CLIENT_TIMEOUT",
        "MEMSTORE_BUCKET",      "MEMSTORE_DIRECT", "MEMSTORE_READS",      "MEMSTORE_CALLS",
        "MEMSTORE_SPIN_US",     "NOTIFY_SOCKET",   "LISTEN_FDS"};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        unsetenv(names[i]);
}

static void run_stages(void)
{
    stage_fill(0, settings.few);
    stage_small(settings.few);
    stage_fill(settings.few, settings.many);
    stage_sizes(settings.many);
    stage_open(settings.many);
    stage_readers(settings.many);
    stage_changes();
    stage_writers(settings.many);
    stage_batches();
    stage_extras();
    stage_hits(settings.all);
    stage_placed();
    stage_singles();
    stage_beside();
    stage_fill(settings.many, settings.all);
    stage_small(settings.all);
    stage_list(settings.all);
    stage_mix();
    process_stop_all();
    stage_growth();
}

static void write_report(struct report *report)
{
    char json[512], data[512];

    report->target_count = targets_evaluate(report->targets);
    report_print(report);
    snprintf(json, sizeof(json), "%s/bench.json", settings.build);
    snprintf(data, sizeof(data), "%s/bench.dat", settings.build);
    report_write(report, json);
    report_draw(data, settings.svg);
    run_progress("wrote %s and %s", json, settings.svg);
}

int main(int argc, char **argv)
{
    static struct report report;

    if (argc < 3 || argc > 4 || (argc == 4 && strcmp(argv[3], "quick") != 0)) {
        fputs(usage, stderr);
        return 2;
    }
    settings = argc == 4 ? quick : full;
    settings.build = argv[1];
    settings.svg = argv[2];
    clear_environment();
    run_begin();
    subjects_start();
    report.fact_count = machine_describe(report.facts);
    run_stages();
    process_stop_all();
    write_report(&report);
    return 0;
}
