#include "bench/run.h"

#include "bench/process.h"
#include "bench/timing.h"

#include <errno.h>
#include <ftw.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define SECONDS_MAX 1800
#define ROOM_MIN \
    (3ULL << 30) /* what our store and raw LMDB's take in the folder at their fullest */

struct settings settings;

static char folder[64];
static pid_t main_pid;
static int64_t started;
static volatile sig_atomic_t interrupted;
static atomic_flag failed = ATOMIC_FLAG_INIT;

static int remove_entry(const char *path, const struct stat *status, int type, struct FTW *where)
{
    (void)status;
    (void)type;
    (void)where;
    remove(path);
    return 0;
}

static void clean_up(void)
{
    if (getpid() != main_pid)
        return;
    process_kill_all();
    if (*folder)
        nftw(folder, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

static void on_signal(int number)
{
    interrupted = number;
}

/* Without SA_RESTART: a call that waits is to return. */
static void catch_signals(void)
{
    static const int numbers[] = {SIGINT, SIGTERM, SIGHUP, SIGALRM};
    struct sigaction action = {.sa_handler = on_signal};

    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
        sigaction(numbers[i], &action, NULL);
    signal(SIGPIPE, SIG_IGN);
    alarm(SECONDS_MAX);
}

/* A file system that is too small would end the run much later, and less clearly. */
static void check_room(void)
{
    struct statvfs status;
    uint64_t room;

    if (statvfs(folder, &status) < 0)
        run_fail("%s: %s", folder, strerror(errno));
    room = (uint64_t)status.f_bavail * status.f_frsize;
    if (room < ROOM_MIN)
        run_fail("/dev/shm has %llu MiB free, and %llu are needed",
                 (unsigned long long)(room >> 20), ROOM_MIN >> 20);
}

/* A thousand clients of one process need more than the usual. */
static void raise_descriptors(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}

void run_begin(void)
{
    main_pid = getpid();
    started = timing_now();
    atexit(clean_up);
    catch_signals();
    snprintf(folder, sizeof(folder), "/dev/shm/memstore-bench-XXXXXX");
    if (!mkdtemp(folder)) {
        *folder = '\0';
        run_fail("/dev/shm: %s", strerror(errno));
    }
    check_room();
    raise_descriptors();
}

void run_check(void)
{
    if (interrupted == SIGALRM)
        run_fail("not done after %d s", SECONDS_MAX);
    if (interrupted)
        run_fail("interrupted");
}

void run_fail(const char *format, ...)
{
    va_list arguments;

    /* Of several threads that fail, one ends the process. */
    if (atomic_flag_test_and_set(&failed))
        for (;;)
            pause();
    fflush(stdout);
    fprintf(stderr, "bench: ");
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fprintf(stderr, "\n");
    if (getpid() != main_pid)
        _exit(1);
    exit(1);
}

void run_path(char path[RUN_PATH], const char *name)
{
    snprintf(path, RUN_PATH, "%s/%s", folder, name);
}

void run_progress(const char *format, ...)
{
    va_list arguments;

    fprintf(stderr, "bench: %3d s: ", (int)((timing_now() - started) / SECOND_NS));
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fprintf(stderr, "\n");
}

void *run_share(uint64_t size)
{
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    if (memory == MAP_FAILED)
        run_fail("mmap: %s", strerror(errno));
    return memory;
}

void *run_allocate(uint64_t size)
{
    void *memory = calloc(1, size);

    if (!memory)
        run_fail("out of memory");
    return memory;
}

FILE *run_create(const char *path)
{
    FILE *file = fopen(path, "we");

    if (!file)
        run_fail("%s: %s", path, strerror(errno));
    return file;
}

void run_written(FILE *file, const char *path)
{
    if (fclose(file) != 0)
        run_fail("%s: %s", path, strerror(errno));
}
