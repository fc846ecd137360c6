#include "memory.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysinfo.h>

#define CGROUPS "/sys/fs/cgroup"

/* Reads memory.max of one group: a number, or "max". */
static uint64_t group_limit(const char *group)
{
    unsigned long long limit;
    char path[PATH_MAX + 64];
    FILE *file;
    int n;

    snprintf(path, sizeof(path), CGROUPS "%s/memory.max", group);
    file = fopen(path, "re");
    if (!file)
        return UINT64_MAX;
    n = fscanf(file, "%llu", &limit);
    fclose(file);
    return n == 1 ? limit : UINT64_MAX;
}

/* The line "0::/path" of /proc/self/cgroup names our group in the unified hierarchy. */
static void own_group(char group[PATH_MAX])
{
    FILE *file = fopen("/proc/self/cgroup", "re");
    char line[PATH_MAX];

    group[0] = '\0';
    while (file && fgets(line, sizeof(line), file)) {
        line[strcspn(line, "\n")] = '\0';
        if (strncmp(line, "0::/", 4) == 0)
            snprintf(group, PATH_MAX, "%s", line + 3);
    }
    if (file)
        fclose(file);
}

uint64_t memory_total(void)
{
    struct sysinfo info;
    uint64_t total;
    char group[PATH_MAX];

    if (sysinfo(&info) < 0)
        return 0;
    total = (uint64_t)info.totalram * info.mem_unit;
    own_group(group);
    /* A limit of an ancestor holds for us too. */
    for (;;) {
        uint64_t limit = group_limit(group);
        char *parent = strrchr(group, '/');

        if (limit < total)
            total = limit;
        if (!parent)
            return total;
        *parent = '\0';
    }
}
