#include "bench/redis_benchmark.h"

#include "bench/process.h"
#include "bench/run.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PROGRAM "redis-benchmark"

int redis_benchmark_is_installed(void)
{
    return process_is_installed(PROGRAM);
}

/* A line of its output: "SET","1052631.62", and more. */
static double rate_in(const char *path)
{
    static const char start[] = "\"SET\",\"";
    char line[512];
    double rate = 0;
    FILE *file = fopen(path, "re");

    while (file && rate == 0 && fgets(line, sizeof(line), file))
        if (strncmp(line, start, strlen(start)) == 0)
            rate = strtod(line + strlen(start), NULL);
    if (file)
        fclose(file);
    return rate;
}

double redis_benchmark_run(uint32_t size)
{
    char socket[RUN_PATH], output[RUN_PATH], bytes[16];
    const char *arguments[] = {PROGRAM,
                               "-s",
                               socket,
                               "-c",
                               "8",
                               "-P",
                               "16",
                               "-d",
                               bytes,
                               "-t",
                               "set",
                               "-n",
                               settings.quick ? "50000" : "200000",
                               "--csv",
                               NULL};
    double rate;

    run_path(socket, "redis");
    run_path(output, PROGRAM ".csv");
    snprintf(bytes, sizeof(bytes), "%u", (unsigned)size);
    process_run(arguments, output);
    rate = rate_in(output);
    if (rate <= 0)
        run_fail("%s gives no rate", PROGRAM);
    return rate;
}
