/*
 * make demo: processes share one store. A real run on the real files of a folder: a daemon is
 * started, each of four workers puts its part of the files and reads back, compared byte by byte
 * with the files, what the others put; then the other calls are shown. Whatever is not as it
 * should be ends the run with exit status 1 and the reason.
 */
#include "client/memstore.h"

#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define WORKERS 4
#define FILES_MAX 50000          /* more files than this are left out */
#define BYTES_MAX (512ULL << 20) /* and more bytes */
#define SECONDS_MAX 300          /* the whole run, then it gives up */
#define READY_MS 10000           /* the daemon's start */
#define CALL_MS 60000            /* one call: the machine may be busy */
#define PIECE (256U << 10)       /* a large file is read in pieces of this size */
#define LARGE (1U << 20)         /* from this size on a value goes through the writer */
#define ROOM (1U << 20)          /* what the max size leaves beyond the files */
#define MIB (1024.0 * 1024.0)

enum outcome {
    OUTCOME_NONE,
    OUTCOME_STORED,
    OUTCOME_UNREADABLE,
    OUTCOME_CHANGED, /* the file is not any more what it was: nothing to compare with */
};

/* A file to store, as the walk through the folder found it. Its index decides whose it is. */
struct file {
    char *path; /* also the key */
    uint64_t size;
};

/* What the workers tell of a file. */
struct file_state {
    _Atomic int outcome;
    struct timespec modified, changed; /* of the file, when it was put */
};

/* What the workers tell of a phase, each at its own index, and together. */
struct phase {
    _Atomic int finished;
    _Atomic uint64_t objects, bytes;
    _Atomic uint64_t call_ns; /* spent inside the library's calls, all workers added up */
    int64_t begin[WORKERS], end[WORKERS];
};

/* Memory that all processes share. */
struct board {
    struct phase put, get;
    struct file_state files[FILES_MAX];
};

static struct file files[FILES_MAX];
static size_t file_count;
static uint64_t file_bytes;
static struct {
    size_t symlinks, special, unreadable, beyond;
} left_out;

static struct board *board;
static char folder[64], socket_path[96], data_path[96], log_path[96], notify_path[96];
static pid_t main_pid, daemon_pid, worker_pids[WORKERS];
static int worker_index = -1; /* in a worker: which one */
static volatile sig_atomic_t interrupted;

// ---- endings ----

static void copy_log(void)
{
    char line[512];
    FILE *log = fopen(log_path, "re");
    while (log && fgets(line, sizeof(line), log))
        fprintf(stderr, "  memstored: %s", line);
    if (log)
        fclose(log);
}

/* Ends this process with a reason; in the first one, what it started ends too (clean_up). */
static _Noreturn void fail(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void fail(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fflush(stdout);
    if (worker_index >= 0)
        fprintf(stderr, "demo: worker %d: ", worker_index);
    else
        fprintf(stderr, "demo: failed: ");
    vfprintf(stderr, format, arguments);
    fprintf(stderr, "\n");
    va_end(arguments);
    if (getpid() != main_pid)
        _exit(1);
    copy_log();
    exit(1);
}

/* For calls into the library: 0 or more is fine. */
static int expect(int result, const char *call)
{
    if (result < 0)
        fail("%s: %s (%s)", call, memstore_message(), memstore_strerror(result));
    return result;
}

static void remove_folder(void)
{
    char *paths[] = {folder, NULL};
    FTS *walk = fts_open(paths, FTS_PHYSICAL | FTS_NOCHDIR, NULL);
    FTSENT *entry;
    while (walk && (entry = fts_read(walk)))
        if (entry->fts_info != FTS_D)
            (void)remove(entry->fts_accpath);
    if (walk)
        fts_close(walk);
}

static void clean_up(void)
{
    if (getpid() != main_pid)
        return;
    for (int i = 0; i < WORKERS; i++)
        if (worker_pids[i] > 0) {
            kill(worker_pids[i], SIGKILL);
            waitpid(worker_pids[i], NULL, 0);
        }
    if (daemon_pid > 0) {
        kill(daemon_pid, SIGKILL);
        waitpid(daemon_pid, NULL, 0);
    }
    if (*folder)
        remove_folder();
}

static void on_signal(int number)
{
    interrupted = number;
}

static void catch_signals(void)
{
    struct sigaction action = {.sa_handler = on_signal};
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGHUP, &action, NULL);
    sigaction(SIGALRM, &action, NULL);
    alarm(SECONDS_MAX);
}

static void check_interrupted(void)
{
    if (interrupted == SIGALRM)
        fail("not done after %d s", SECONDS_MAX);
    if (interrupted)
        fail("interrupted");
}

// ---- the files ----

static int64_t now_ns(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1000000000LL + time.tv_nsec;
}

static void add_file(const FTSENT *entry, uint64_t bytes_max)
{
    uint64_t size = (uint64_t)entry->fts_statp->st_size;
    if (file_count == FILES_MAX || size > bytes_max - file_bytes ||
        entry->fts_pathlen > MEMSTORE_KEY_MAX) {
        left_out.beyond++;
        return;
    }
    char *path = strdup(entry->fts_path);
    if (!path)
        fail("out of memory");
    files[file_count++] = (struct file){.path = path, .size = size};
    file_bytes += size;
}

static void note_entry(const FTSENT *entry, uint64_t bytes_max)
{
    switch (entry->fts_info) {
    case FTS_F:
        add_file(entry, bytes_max);
        break;
    case FTS_SL:
    case FTS_SLNONE:
        left_out.symlinks++;
        break;
    case FTS_DEFAULT:
        left_out.special++;
        break;
    case FTS_DNR:
    case FTS_ERR:
    case FTS_NS:
        left_out.unreadable++;
        break;
    default: // a folder
        break;
    }
}

static void find_files(char *directory, uint64_t bytes_max)
{
    char *paths[] = {directory, NULL};
    FTS *walk = fts_open(paths, FTS_PHYSICAL | FTS_NOCHDIR | FTS_XDEV, NULL);
    FTSENT *entry;
    if (!walk)
        fail("%s: %s", directory, strerror(errno));
    while (left_out.beyond < FILES_MAX && (entry = fts_read(walk))) {
        check_interrupted();
        note_entry(entry, bytes_max);
    }
    fts_close(walk);
    if (file_count == 0)
        fail("%s has no files to put", directory);
}

/* Opens a listed file if it is still as listed; else says why not. */
static int open_file(size_t index, struct stat *ret_status, int *ret_outcome)
{
    // O_NONBLOCK: should a pipe have taken the file's place.
    int fd = open(files[index].path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0) {
        *ret_outcome = errno == EACCES || errno == EPERM ? OUTCOME_UNREADABLE : OUTCOME_CHANGED;
        return -1;
    }
    if (fstat(fd, ret_status) < 0 || !S_ISREG(ret_status->st_mode) ||
        (uint64_t)ret_status->st_size != files[index].size) {
        close(fd);
        *ret_outcome = OUTCOME_CHANGED;
        return -1;
    }
    return fd;
}

/* Reads up to size bytes, fewer only at the end of the file. */
static size_t read_up_to(int fd, char *buffer, size_t size)
{
    size_t done = 0;
    while (done < size) {
        ssize_t count = read(fd, buffer + done, size - done);
        if (count < 0 && errno == EINTR)
            continue;
        if (count <= 0)
            break;
        done += (size_t)count;
    }
    return done;
}

static bool same_time(struct timespec a, struct timespec b)
{
    return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

static bool file_unchanged(size_t index, const struct stat *status)
{
    return (uint64_t)status->st_size == files[index].size &&
           same_time(status->st_mtim, board->files[index].modified) &&
           same_time(status->st_ctim, board->files[index].changed);
}

// ---- a worker's part ----

/* One worker's means. */
struct worker {
    struct memstore *store;
    char buffer[LARGE];
    char name[16];
};

static void count_call(struct phase *phase, int64_t begin, uint64_t bytes)
{
    phase->call_ns += (uint64_t)(now_ns() - begin);
    phase->bytes += bytes;
}

static bool put_small(struct worker *worker, size_t index, int fd,
                      const struct memstore_put_options *options)
{
    const struct file *file = &files[index];
    if (read_up_to(fd, worker->buffer, sizeof(worker->buffer)) != file->size)
        return false;
    int64_t begin = now_ns();
    expect(memstore_put(worker->store, file->path, strlen(file->path), worker->buffer, file->size,
                        options, NULL),
           "memstore_put");
    count_call(&board->put, begin, file->size);
    return true;
}

static bool put_large(struct worker *worker, size_t index, int fd,
                      const struct memstore_put_options *options)
{
    const struct file *file = &files[index];
    struct memstore_writer *writer;
    uint64_t total = 0;
    size_t count;
    expect(memstore_writer_open(worker->store, file->path, strlen(file->path), options, &writer),
           "memstore_writer_open");
    while (total <= file->size && (count = read_up_to(fd, worker->buffer, PIECE)) > 0) {
        int64_t begin = now_ns();
        expect(memstore_writer_write(writer, worker->buffer, count), "memstore_writer_write");
        count_call(&board->put, begin, count);
        total += count;
    }
    if (total != file->size) {
        memstore_writer_abort(writer);
        return false;
    }
    int64_t begin = now_ns();
    expect(memstore_writer_commit(writer, NULL), "memstore_writer_commit");
    count_call(&board->put, begin, 0);
    return true;
}

static int put_file(struct worker *worker, size_t index)
{
    const struct memstore_metadata metadata = {"worker", worker->name};
    const struct memstore_put_options options = {
        .size = sizeof(options), .metadata = &metadata, .metadata_count = 1};
    struct stat status;
    int outcome;
    int fd = open_file(index, &status, &outcome);
    if (fd < 0)
        return outcome;
    board->files[index].modified = status.st_mtim;
    board->files[index].changed = status.st_ctim;
    bool done = files[index].size < LARGE ? put_small(worker, index, fd, &options)
                                          : put_large(worker, index, fd, &options);
    close(fd);
    return done ? OUTCOME_STORED : OUTCOME_CHANGED;
}

static void put_files(struct worker *worker)
{
    for (size_t i = (size_t)worker_index; i < file_count; i += WORKERS) {
        board->files[i].outcome = put_file(worker, i);
        board->put.objects++;
    }
}

/* Compares a value with what the file has to say from here on. */
static bool same_bytes(struct worker *worker, int fd, const char *value, size_t size)
{
    size_t offset = 0;
    size_t count;
    while ((count = read_up_to(fd, worker->buffer, PIECE)) > 0) {
        if (count > size - offset || memcmp(value + offset, worker->buffer, count) != 0)
            return false;
        offset += count;
    }
    return offset == size;
}

static int compare_file(struct worker *worker, size_t index, const struct memstore_object *object)
{
    struct stat status;
    int outcome = OUTCOME_STORED;
    size_t size;
    const char *value = memstore_object_value(object, &size);
    int fd = open_file(index, &status, &outcome);
    if (fd < 0)
        return outcome;
    bool same = same_bytes(worker, fd, value, size);
    // Only a file that nobody touched since its put can accuse the store.
    if (fstat(fd, &status) < 0 || !file_unchanged(index, &status))
        outcome = OUTCOME_CHANGED;
    else if (!same)
        fail("%s: the store returned other bytes than the file has", files[index].path);
    close(fd);
    return outcome;
}

static void get_file(struct worker *worker, size_t index)
{
    const struct file *file = &files[index];
    struct memstore_object *object;
    char owner[16];
    int64_t begin = now_ns();
    expect(memstore_get(worker->store, file->path, strlen(file->path), 0, MEMSTORE_TO_END, &object),
           "memstore_get");
    count_call(&board->get, begin, file->size);
    snprintf(owner, sizeof(owner), "%zu", index % WORKERS);
    const char *given = memstore_object_metadata(object, "worker");
    if (!given || strcmp(given, owner) != 0)
        fail("%s: metadata \"worker\" is not \"%s\"", file->path, owner);
    if (compare_file(worker, index, object) != OUTCOME_STORED)
        board->files[index].outcome = OUTCOME_CHANGED;
    memstore_object_free(object);
}

/* What the others put, each worker beginning at another place. */
static void get_files(struct worker *worker)
{
    for (size_t step = 0; step < file_count; step++) {
        size_t i = (step + (size_t)worker_index * file_count / WORKERS) % file_count;
        if (i % WORKERS == (size_t)worker_index)
            continue;
        if (board->files[i].outcome == OUTCOME_STORED)
            get_file(worker, i);
        board->get.objects++;
    }
}

static void run_phase(struct phase *phase, int gate, void (*work)(struct worker *worker),
                      struct worker *worker)
{
    char byte;
    while (read(gate, &byte, 1) < 0 && errno == EINTR)
        ;
    phase->begin[worker_index] = now_ns();
    work(worker);
    phase->end[worker_index] = now_ns();
    phase->finished++;
}

static struct memstore *open_store(void)
{
    const struct memstore_options options = {
        .size = sizeof(options), .socket = socket_path, .timeout_ms = CALL_MS};
    struct memstore *store;
    expect(memstore_open(&options, &store), "memstore_open");
    return store;
}

static _Noreturn void run_worker(int put_gate, int get_gate)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    signal(SIGINT, SIG_DFL);
    signal(SIGTERM, SIG_DFL);
    struct worker *worker = calloc(1, sizeof(*worker));
    if (!worker)
        fail("out of memory");
    snprintf(worker->name, sizeof(worker->name), "%d", worker_index);
    worker->store = open_store();
    run_phase(&board->put, put_gate, put_files, worker);
    run_phase(&board->get, get_gate, get_files, worker);
    memstore_close(worker->store);
    free(worker);
    _exit(0);
}

// ---- the daemon ----

static int notify_socket(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof(address.sun_path), "%s", notify_path);
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
        fail("%s: %s", notify_path, strerror(errno));
    return fd;
}

static void await_ready(int notify)
{
    int64_t end = now_ns() + READY_MS * 1000000LL;
    char message[256];
    struct pollfd wait = {.fd = notify, .events = POLLIN};
    while (now_ns() < end) {
        check_interrupted();
        if (waitpid(daemon_pid, NULL, WNOHANG) != 0) {
            daemon_pid = 0;
            fail("the daemon did not start");
        }
        if (poll(&wait, 1, 50) <= 0)
            continue;
        ssize_t size = recv(notify, message, sizeof(message) - 1, 0);
        message[size > 0 ? size : 0] = '\0';
        if (strstr(message, "READY=1"))
            return;
    }
    fail("the daemon was not ready after %d s", READY_MS / 1000);
}

static _Noreturn void exec_daemon(uint64_t max_size, uint64_t max_memory)
{
    static const char *const variables[] = {"SOCKET",      "DATA", "MAX_SIZE",   "MAX_MEMORY",
                                            "SOCKET_MODE", "KEEP", "ALLOW_DISK", "CLIENT_TIMEOUT"};
    char name[32], program[4096], size[32], memory[32];
    const char *build = getenv("BUILD");
    // A process group of its own: Ctrl-C is for this program, which then stops the daemon.
    setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    for (size_t i = 0; i < sizeof(variables) / sizeof(*variables); i++) {
        snprintf(name, sizeof(name), "MEMSTORE_%s", variables[i]);
        unsetenv(name);
    }
    setenv("NOTIFY_SOCKET", notify_path, 1);
    int log = open(log_path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    if (log < 0 || dup2(log, STDERR_FILENO) < 0)
        _exit(1);
    snprintf(program, sizeof(program), "%s/memstored", build ? build : "build");
    snprintf(size, sizeof(size), "%llu", (unsigned long long)max_size);
    snprintf(memory, sizeof(memory), "%llu", (unsigned long long)max_memory);
    execl(program, program, "--socket", socket_path, "--data", data_path, "--max-size", size,
          "--max-memory", memory, (char *)NULL);
    dprintf(STDERR_FILENO, "%s: %s\n", program, strerror(errno));
    _exit(1);
}

static void start_daemon(uint64_t max_size, uint64_t max_memory)
{
    int notify = notify_socket();
    daemon_pid = fork();
    if (daemon_pid < 0)
        fail("fork: %s", strerror(errno));
    if (daemon_pid == 0)
        exec_daemon(max_size, max_memory);
    await_ready(notify);
    close(notify);
}

static void stop_daemon(void)
{
    int status;
    pid_t pid = daemon_pid;
    kill(pid, SIGTERM);
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        check_interrupted();
    daemon_pid = 0;
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        fail("the daemon did not stop in good order");
    if (access(data_path, F_OK) == 0)
        fail("the daemon left %s behind", data_path);
}

// ---- watching the workers ----

static void reap(void)
{
    int status;
    pid_t pid = waitpid(-1, &status, WNOHANG);
    if (pid <= 0)
        return;
    if (pid == daemon_pid) {
        daemon_pid = 0;
        fail("the daemon ended");
    }
    for (int i = 0; i < WORKERS; i++)
        if (worker_pids[i] == pid) {
            worker_pids[i] = 0;
            if (status != 0)
                fail("worker %d ended with status %d", i, status);
        }
}

static void draw_progress(const char *title, const struct phase *phase, uint64_t of)
{
    char bar[41];
    if (!isatty(STDERR_FILENO))
        return;
    int filled = of ? (int)(phase->objects * (sizeof(bar) - 1) / of) : 0;
    for (int i = 0; i < (int)sizeof(bar) - 1; i++)
        bar[i] = i < filled ? '#' : '.';
    bar[sizeof(bar) - 1] = '\0';
    fprintf(stderr, "\r%-6s [%s] %3d %%", title, bar, (int)(of ? phase->objects * 100 / of : 0));
}

static void tick(void)
{
    nanosleep(&(struct timespec){.tv_nsec = 20000000}, NULL);
    check_interrupted();
    reap();
}

/* Lets the workers into a phase and waits until all are through. */
static void watch_phase(const char *title, const struct phase *phase, int gate, uint64_t of)
{
    close(gate);
    while (phase->finished < WORKERS) {
        tick();
        draw_progress(title, phase, of);
    }
    if (isatty(STDERR_FILENO))
        fprintf(stderr, "\r%64s\r", "");
}

static void print_rate(const struct phase *phase, uint64_t objects)
{
    int64_t begin = phase->begin[0];
    int64_t end = phase->end[0];
    for (int i = 1; i < WORKERS; i++) {
        begin = phase->begin[i] < begin ? phase->begin[i] : begin;
        end = phase->end[i] > end ? phase->end[i] : end;
    }
    double seconds = (double)(end - begin) / 1e9;
    double bytes = (double)phase->bytes / MIB;
    printf("       %llu objects, %.1f MiB in %.2f s: %.0f objects/s, %.1f MiB/s\n"
           "       (reading the files included; one object took %.0f us inside memstore)\n",
           (unsigned long long)objects, bytes, seconds, (double)objects / seconds, bytes / seconds,
           (double)phase->call_ns / 1e3 / (double)(objects ? objects : 1));
}

static size_t count_outcome(int outcome)
{
    size_t count = 0;
    for (size_t i = 0; i < file_count; i++)
        count += board->files[i].outcome == outcome;
    return count;
}

static void start_workers(int put_gate[2], int get_gate[2])
{
    fflush(NULL);
    for (int i = 0; i < WORKERS; i++) {
        worker_pids[i] = fork();
        if (worker_pids[i] < 0)
            fail("fork: %s", strerror(errno));
        if (worker_pids[i] == 0) {
            worker_index = i;
            close(put_gate[1]);
            close(get_gate[1]);
            run_worker(put_gate[0], get_gate[0]);
        }
    }
    close(put_gate[0]);
    close(get_gate[0]);
}

/* Puts and gets. A gate is a pipe: it opens for all at once when its writing end is closed. */
static void run_workers(void)
{
    int put_gate[2], get_gate[2];
    if (pipe2(put_gate, O_CLOEXEC) < 0 || pipe2(get_gate, O_CLOEXEC) < 0)
        fail("pipe: %s", strerror(errno));
    start_workers(put_gate, get_gate);

    watch_phase("put", &board->put, put_gate[1], file_count);
    size_t stored = count_outcome(OUTCOME_STORED);
    printf("\nput    %d processes put the files, key: path, each its part\n", WORKERS);
    print_rate(&board->put, stored);
    if (stored == 0)
        fail("no file could be read");

    watch_phase("get", &board->get, get_gate[1], (uint64_t)file_count * (WORKERS - 1));
    printf("\nget    each process read what the other %d put and compared every byte\n",
           WORKERS - 1);
    print_rate(&board->get, (uint64_t)stored * (WORKERS - 1));
    printf("       no difference between store and files\n");
    for (int i = 0; i < WORKERS; i++)
        while (worker_pids[i])
            tick();
}

// ---- the other calls ----

static struct memstore_stats get_stats(struct memstore *store)
{
    struct memstore_stats stats;
    expect(memstore_stats(store, &stats, sizeof(stats)), "memstore_stats");
    return stats;
}

static void show_stats(struct memstore *store)
{
    struct memstore_stats stats = get_stats(store);
    printf("\nstats  %llu objects, %.1f MiB of at most %.1f MiB, in %.1f MiB of memory;\n"
           "       %llu requests in %llu transactions, %llu refused\n",
           (unsigned long long)stats.objects, (double)stats.used / MIB,
           (double)stats.max_size / MIB, (double)stats.memory / MIB,
           (unsigned long long)stats.requests, (unsigned long long)stats.commits,
           (unsigned long long)stats.refused);
}

/* What the store counts must be what the workers put: a file that changed later counts too. */
static void check_totals(struct memstore *store)
{
    struct memstore_stats stats = get_stats(store);
    if (count_outcome(OUTCOME_STORED) != file_count)
        return; // some may have been replaced or left out between the phases
    if (stats.objects != file_count || stats.used != file_bytes)
        fail("the store counts %llu objects and %llu bytes; put were %zu and %llu",
             (unsigned long long)stats.objects, (unsigned long long)stats.used, file_count,
             (unsigned long long)file_bytes);
}

/* An object to show things with: stored, not empty, and small enough for a copy within ROOM. */
static const struct file *find_example(void)
{
    for (size_t i = 0; i < file_count; i++)
        if (board->files[i].outcome == OUTCOME_STORED && files[i].size > 0 && files[i].size < ROOM)
            return &files[i];
    fail("none of the files is small enough to be copied within the max size");
}

static size_t stored_with_prefix(const char *prefix, size_t length)
{
    size_t count = 0;
    for (size_t i = 0; i < file_count; i++)
        count += board->files[i].outcome == OUTCOME_STORED &&
                 strncmp(files[i].path, prefix, length) == 0;
    return count;
}

static void show_list(struct memstore *store, const struct file *example)
{
    struct memstore_list *list;
    const char *slash = strrchr(example->path, '/');
    int length = (int)(slash - example->path) + 1;
    expect(memstore_list(store, example->path, (size_t)length, NULL, &list), "memstore_list");
    size_t count = memstore_list_count(list);
    printf("\nlist   %zu keys start with %.*s, for example\n", count, length, example->path);
    for (size_t i = 0; i < count && i < 3; i++) {
        const struct memstore_object *object = memstore_list_at(list, i);
        printf("       %8llu B  %s\n", (unsigned long long)memstore_object_size(object),
               (const char *)memstore_object_key(object, NULL));
    }
    if (count < stored_with_prefix(example->path, (size_t)length))
        fail("the list lacks some of the objects that were put");
    memstore_list_free(list);
}

static void check_etag(const struct memstore_object *object, const char *etag)
{
    if (strcmp(memstore_object_etag(object), etag) != 0)
        fail("the etag changed on the way");
}

static void show_copy_and_move(struct memstore *store, const struct file *example)
{
    static const char copied[] = "demo/a copy", moved[] = "demo/moved";
    struct memstore_object *object, *copy, *target;
    const char *key = example->path;
    expect(memstore_info(store, key, strlen(key), &object), "memstore_info");
    const char *etag = memstore_object_etag(object);
    printf("\ninfo   %s\n       %llu bytes, etag %s, put by worker %s\n", key,
           (unsigned long long)memstore_object_size(object), etag,
           memstore_object_metadata(object, "worker"));

    expect(memstore_copy(store, key, strlen(key), copied, strlen(copied), &copy), "memstore_copy");
    check_etag(copy, etag);
    printf("copy   to \"%s\": same etag, version %llu\n", copied,
           (unsigned long long)memstore_object_version(copy));

    expect(memstore_move(store, copied, strlen(copied), moved, strlen(moved), &target),
           "memstore_move");
    check_etag(target, etag);
    if (expect(memstore_exists(store, copied, strlen(copied)), "memstore_exists") != 0)
        fail("the source of the move is still there");
    printf("move   to \"%s\": same etag, and \"%s\" is gone\n", moved, copied);
    expect(memstore_delete(store, moved, strlen(moved)), "memstore_delete");
    memstore_object_free(target);
    memstore_object_free(copy);
    memstore_object_free(object);
}

static void show_url(const struct file *example)
{
    char *url;
    expect(memstore_url(example->path, strlen(example->path), 0, &url, NULL), "memstore_url");
    printf("url    %s\n", url);
    free(url);
}

static void show_quota(struct memstore *store)
{
    static const char key[] = "demo/quota";
    uint64_t used = get_stats(store).used;
    size_t room = (size_t)(get_stats(store).max_size - used);
    char *value = calloc(1, room + 1);
    if (!value)
        fail("out of memory");
    int result = memstore_put(store, key, strlen(key), value, room + 1, NULL, NULL);
    if (result != -EDQUOT)
        fail("a put beyond the max size gave %d and not -EDQUOT", result);
    printf("\nquota  %zu bytes are left; a put of %zu was refused:\n       %s\n", room, room + 1,
           memstore_message());
    if (get_stats(store).used != used)
        fail("the refused put changed the total");
    expect(memstore_put(store, key, strlen(key), value, room, NULL, NULL), "memstore_put");
    printf("       a put of %zu, exactly up to the limit, was taken\n", room);
    free(value);
}

// ---- the run ----

static void make_folder(void)
{
    snprintf(folder, sizeof(folder), "/dev/shm/memstore-demo-XXXXXX");
    if (!mkdtemp(folder)) {
        *folder = '\0';
        fail("/dev/shm: %s", strerror(errno));
    }
    snprintf(socket_path, sizeof(socket_path), "%s/socket", folder);
    snprintf(data_path, sizeof(data_path), "%s/data", folder);
    snprintf(log_path, sizeof(log_path), "%s/log", folder);
    snprintf(notify_path, sizeof(notify_path), "%s/notify", folder);
}

/* Bytes of memory that the store may take: most of what /dev/shm has left. */
static uint64_t find_room(void)
{
    struct statvfs status;
    if (statvfs(folder, &status) < 0)
        fail("%s: %s", folder, strerror(errno));
    return (uint64_t)status.f_bavail * status.f_frsize / 10 * 9;
}

static void print_count(size_t count, const char *what)
{
    if (count > 0)
        printf("\nnot compared: %zu %s", count, what);
}

static void print_left_out(void)
{
    print_count(left_out.symlinks, "symbolic links");
    print_count(left_out.special, "special files");
    print_count(left_out.unreadable + count_outcome(OUTCOME_UNREADABLE), "unreadable");
    print_count(left_out.beyond, "beyond what the demo takes (number, bytes, length of path)");
    print_count(count_outcome(OUTCOME_CHANGED), "that changed meanwhile");
}

static void prepare(char *directory)
{
    make_folder();
    uint64_t room = find_room();
    // A third: replaced pages and LMDB's own need room as well.
    find_files(directory, room / 3 < BYTES_MAX ? room / 3 : BYTES_MAX);
    board = mmap(NULL, sizeof(*board), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (board == MAP_FAILED)
        fail("out of memory");
    uint64_t max_size = file_bytes + ROOM;
    uint64_t max_memory = max_size + max_size / 2 + (64ULL << 20);
    start_daemon(max_size, max_memory < room ? max_memory : room);
    printf("start  memstored, process %d, socket %s\n"
           "       max size: %.1f MiB, the %zu files of %s (%.1f MiB) and 1 MiB more\n",
           (int)daemon_pid, socket_path, (double)max_size / MIB, file_count, directory,
           (double)file_bytes / MIB);
}

static void show_calls(void)
{
    struct memstore *store = open_store();
    const struct file *example = find_example();
    check_totals(store);
    show_list(store, example);
    show_copy_and_move(store, example);
    show_url(example);
    show_quota(store);
    show_stats(store);
    memstore_close(store);
}

int main(int argc, char **argv)
{
    int64_t begin = now_ns();
    main_pid = getpid();
    if (argc != 2) {
        fprintf(stderr, "usage: demo DIR\n");
        return 2;
    }
    char *directory = realpath(argv[1], NULL);
    if (!directory)
        fail("%s: %s", argv[1], strerror(errno));
    atexit(clean_up);
    catch_signals();
    prepare(directory);
    run_workers();
    show_calls();
    stop_daemon();
    printf("\nstop   the daemon ended in good order and left nothing in memory\n");
    print_left_out();
    printf("\ndemo: all well, in %.1f s\n", (double)(now_ns() - begin) / 1e9);
    free(directory);
    return 0;
}
