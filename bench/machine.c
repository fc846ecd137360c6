#include "bench/machine.h"

#include "bench/run.h"
#include "bench/subject.h"
#include "client/memstore.h"

#include <dirent.h>
#include <errno.h>
#include <lmdb.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

/* The cores that this process had at first. */
static const cpu_set_t *all_cores(void)
{
    static cpu_set_t set;

    if (CPU_COUNT(&set) == 0 && sched_getaffinity(0, sizeof(set), &set) < 0)
        CPU_SET(0, &set);
    return &set;
}

unsigned machine_cores(void)
{
    return (unsigned)CPU_COUNT(all_cores());
}

static cpu_set_t cores_of(int core)
{
    cpu_set_t set = *all_cores();
    int place = 0;

    if (core == MACHINE_ANY)
        return set;
    for (int i = 0; i < CPU_SETSIZE; i++)
        if (CPU_ISSET(i, all_cores()) && place++ != core)
            CPU_CLR(i, &set);
    return set;
}

/* Calls a function for each thread of a process. */
static void for_each_thread(pid_t pid, void (*call)(int thread, void *context), void *context)
{
    const struct dirent *entry;
    char path[64];
    DIR *threads;

    snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
    threads = opendir(path);
    if (!threads)
        run_fail("%s: %s", path, strerror(errno));
    while ((entry = readdir(threads)))
        if (entry->d_name[0] != '.')
            call(atoi(entry->d_name), context);
    closedir(threads);
}

static void place_thread(int thread, void *context)
{
    sched_setaffinity(thread, sizeof(cpu_set_t), context);
}

void machine_place(pid_t pid, int core)
{
    cpu_set_t set = cores_of(core);

    for_each_thread(pid > 0 ? pid : getpid(), place_thread, &set);
}

/* The first number in the file is what we are after. */
static void add_cpu(int thread, void *context)
{
    long long nanoseconds = 0;
    char path[64];
    FILE *file;

    snprintf(path, sizeof(path), "/proc/%d/schedstat", thread);
    file = fopen(path, "re");
    if (!file || fscanf(file, "%lld", &nanoseconds) != 1)
        run_fail("%s: %s", path, strerror(errno));
    fclose(file);
    *(int64_t *)context += nanoseconds;
}

int64_t machine_cpu(pid_t pid)
{
    int64_t sum = 0;

    for_each_thread(pid, add_cpu, &sum);
    return sum;
}

static struct fact *add(struct fact *facts, size_t *count, const char *name)
{
    struct fact *fact = &facts[(*count)++];

    *fact = (struct fact){.name = name};
    return fact;
}

/* What follows "name   : " in a file of such lines, up to the line's end. */
static void find_in_file(const char *path, const char *name, char *text, size_t size)
{
    char line[256];
    FILE *file = fopen(path, "re");

    snprintf(text, size, "unknown");
    while (file && fgets(line, sizeof(line), file)) {
        char *colon = strchr(line, ':');

        if (strncmp(line, name, strlen(name)) != 0 || !colon)
            continue;
        colon += 1 + strspn(colon + 1, " \t");
        snprintf(text, size, "%.*s", (int)strcspn(colon, "\n"), colon);
        break;
    }
    if (file)
        fclose(file);
}

uint64_t machine_memory(pid_t pid)
{
    char path[64], text[64];

    snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
    find_in_file(path, "VmRSS", text, sizeof(text));
    return strtoull(text, NULL, 10) * KIB;
}

static void add_memory(struct fact *fact)
{
    char text[64];

    find_in_file("/proc/meminfo", "MemTotal", text, sizeof(text));
    snprintf(fact->text, sizeof(fact->text), "%.1f GiB", strtod(text, NULL) / (1024.0 * 1024.0));
}

static void add_kernel(struct fact *fact)
{
    struct utsname name;

    uname(&name);
    snprintf(fact->text, sizeof(fact->text), "%.60s %.60s", name.sysname, name.release);
}

static void add_date(struct fact *fact)
{
    time_t now = time(NULL);
    struct tm utc;

    strftime(fact->text, sizeof(fact->text), "%Y-%m-%d", gmtime_r(&now, &utc));
}

/* The first line that a program prints. */
static void add_version(struct fact *fact, const char *command)
{
    FILE *pipe = popen(command, "re"); /* NOLINT(cert-env33-c): a fixed text */

    if (pipe && fgets(fact->text, sizeof(fact->text), pipe))
        fact->text[strcspn(fact->text, "\n")] = '\0';
    if (pipe)
        pclose(pipe);
}

size_t machine_describe(struct fact *ret_facts)
{
    size_t count = 0;
    double load = 0;
    struct fact *fact = add(ret_facts, &count, "cpu");

    find_in_file("/proc/cpuinfo", "model name", fact->text, sizeof(fact->text));
    fact = add(ret_facts, &count, "cores");
    snprintf(fact->text, sizeof(fact->text), "%u", machine_cores());
    add_memory(add(ret_facts, &count, "memory"));
    add_kernel(add(ret_facts, &count, "kernel"));
    fact = add(ret_facts, &count, "load");
    if (getloadavg(&load, 1) == 1)
        snprintf(fact->text, sizeof(fact->text), "%.2f before the run", load);
    add_date(add(ret_facts, &count, "date"));
    fact = add(ret_facts, &count, "memstore");
    snprintf(fact->text, sizeof(fact->text), "%s", memstore_version());
    fact = add(ret_facts, &count, "lmdb");
    snprintf(fact->text, sizeof(fact->text), "%s", mdb_version(NULL, NULL, NULL));
    if (subject_is_present(SUBJECT_REDIS))
        add_version(add(ret_facts, &count, "redis"), "redis-server --version");
    if (subject_is_present(SUBJECT_MEMCACHED))
        add_version(add(ret_facts, &count, "memcached"), "memcached --version");
    return count;
}
