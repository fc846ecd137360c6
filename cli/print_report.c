#include "print.h"

#include "common/size.h"

#include <inttypes.h>
#include <pwd.h>
#include <stdio.h>

void print_size_line(const char *name, uint64_t size)
{
    char text[SIZE_TEXT_MAX];

    if (size == UINT64_MAX)
        printf("%-12s %s\n", name, "no limit");
    else if (size < 1024)
        printf("%-12s %" PRIu64 " B\n", name, size);
    else
        printf("%-12s %s (%" PRIu64 " bytes)\n", name, size_format(text, size), size);
}

void print_count_line(const char *name, uint64_t count)
{
    if (count == UINT64_MAX)
        printf("%-12s %s\n", name, "no limit");
    else
        printf("%-12s %" PRIu64 "\n", name, count);
}

static void print_uptime(uint64_t microseconds)
{
    uint64_t seconds = microseconds / 1000000;

    printf("%-12s ", "uptime:");
    if (seconds >= 86400)
        printf("%" PRIu64 "d ", seconds / 86400);
    printf("%02" PRIu64 ":%02" PRIu64 ":%02" PRIu64 "\n", seconds / 3600 % 24, seconds / 60 % 60,
           seconds % 60);
}

enum status print_stats(const struct memstore_stats *stats)
{
    print_size_line("max size:", stats->max_size);
    print_size_line("used:", stats->used);
    print_count_line("objects:", stats->objects);
    print_size_line("max memory:", stats->max_memory);
    print_size_line("memory:", stats->memory);
    print_count_line("version:", stats->version);
    print_count_line("buckets:", stats->buckets);
    print_count_line("clients:", stats->clients);
    print_count_line("requests:", stats->requests);
    print_count_line("commits:", stats->commits);
    print_count_line("refused:", stats->refused);
    print_uptime(stats->uptime);
    print_count_line("pid:", stats->pid);
    print_count_line("readers:", stats->readers);
    print_count_line("views:", stats->views);
    print_size_line("pinned:", stats->pinned);
    print_size_line("garbage:", stats->garbage);
    print_count_line("waiting:", stats->waiting);
    print_count_line("watching:", stats->watching);
    print_count_line("locks:", stats->locks);
    return STATUS_DONE;
}

static void print_holder_for_people(const struct memstore_holder *holder)
{
    const struct passwd *user = getpwuid(holder->uid);
    char name[32], pinned[SIZE_TEXT_MAX];

    snprintf(name, sizeof(name), "%u", holder->uid);
    printf("%8u  %-15s  %-12s  %6" PRIu64 "  %10s  %7" PRIu64 "  %9.3f s\n", holder->pid,
           holder->name, user ? user->pw_name : name, holder->views,
           size_format(pinned, holder->pinned), holder->readers, (double)holder->oldest / 1e6);
}

enum status print_holders(const struct memstore_holder *holders, size_t count)
{
    bool for_people = print_is_for_people();

    if (for_people)
        printf("%8s  %-15s  %-12s  %6s  %10s  %7s  %11s\n", "PID", "PROGRAM", "USER", "VIEWS",
               "PINNED", "READERS", "OLDEST READ");
    for (size_t i = 0; i < count; i++) {
        const struct memstore_holder *holder = &holders[i];

        if (for_people)
            print_holder_for_people(holder);
        else
            printf("%u\t%s\t%u\t%" PRIu64 "\t%" PRIu64 "\t%" PRIu64 "\t%" PRIu64 "\n", holder->pid,
                   holder->name, holder->uid, holder->views, holder->pinned, holder->readers,
                   holder->oldest);
    }
    return STATUS_DONE;
}
