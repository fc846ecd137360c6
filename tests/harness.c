#include "tests/harness.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <glob.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define DAEMONS_MAX 64
#define ARGUMENTS_MAX 64
#define START_SECONDS 10
#define WAIT_SECONDS 60

/* Names the folders of one run, so that whoever outlives a failed test can remove its folder. */
#define PREFIX_VARIABLE "MEMSTORE_TEST_PREFIX"
/* What runs the daemon, for example "valgrind -q --error-exitcode=99". */
#define WRAPPER_VARIABLE "MEMSTORE_TEST_WRAPPER"

struct arguments {
    char *list[ARGUMENTS_MAX + 1];
    int count;
};

struct started {
    struct harness_daemon daemon; /* first: what the tests see */
    int notify_fd;
    bool running;
};

char harness_folder[64];

static struct started daemons[DAEMONS_MAX];
static int daemon_count;
static int listen_fd = -1;

/* Check's own four seconds are too few, and a test case reads the default when it is made. */
__attribute__((constructor)) static void set_default_timeout(void)
{
    setenv("CK_DEFAULT_TIMEOUT", "60", 0);
}

const char *harness_build(void)
{
    const char *build = getenv("BUILD");

    return build && *build ? build : "build";
}

double harness_seconds(double seconds)
{
    const char *multiplier = getenv("CK_TIMEOUT_MULTIPLIER");
    double factor = multiplier ? strtod(multiplier, NULL) : 1;

    return seconds * (factor > 1 ? factor : 1);
}

bool harness_is_slow(void)
{
    const char *sanitizer = getenv("SAN");

    return (sanitizer && *sanitizer) || getenv(WRAPPER_VARIABLE);
}

int64_t harness_nanoseconds(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

int64_t harness_now(void)
{
    return harness_nanoseconds() / 1000000;
}

uint64_t harness_cpu(pid_t pid)
{
    uint64_t time = 0;
    char path[64];
    char *text;

    snprintf(path, sizeof(path), "/proc/%d/schedstat", (int)pid);
    text = harness_read_file(path);
    ck_assert_msg(sscanf(text, "%" SCNu64, &time) == 1, "no time in %s: %s", path, text);
    free(text);
    return time;
}

static int64_t deadline_in(double seconds)
{
    return harness_now() + (int64_t)(harness_seconds(seconds) * 1000);
}

static void pause_briefly(void)
{
    nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
}

/* ---- folders ---- */

static int remove_entry(const char *path, const struct stat *status, int type, struct FTW *where)
{
    (void)status;
    (void)type;
    (void)where;
    remove(path);
    return 0;
}

static void remove_folder(const char *folder)
{
    nftw(folder, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

static const char *folder_prefix(void)
{
    const char *prefix = getenv(PREFIX_VARIABLE);

    return prefix && *prefix ? prefix : "/dev/shm/memstore-test-";
}

/* No test sees what the caller's environment says to the daemon or the library. */
static void clear_environment(void)
{
    static const char *const names[] = {
        "MEMSTORE_SOCKET",      "MEMSTORE_DATA", "MEMSTORE_MAX_SIZE",   "MEMSTORE_MAX_MEMORY",
        "MEMSTORE_SOCKET_MODE", "MEMSTORE_KEEP", "MEMSTORE_ALLOW_DISK", "MEMSTORE_CLIENT_TIMEOUT",
        "MEMSTORE_DIRECT",      "NOTIFY_SOCKET", "WATCHDOG_USEC",       "WATCHDOG_PID",
        "LISTEN_FDS",           "LISTEN_PID",    "LISTEN_FDNAMES",      "MEMSTORE_BUCKET"};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        unsetenv(names[i]);
}

void harness_setup(void)
{
    clear_environment();
    snprintf(harness_folder, sizeof(harness_folder), "%sXXXXXX", folder_prefix());
    ck_assert_msg(mkdtemp(harness_folder), "mkdtemp %s: %s", harness_folder, strerror(errno));
}

void harness_teardown(void)
{
    for (int i = 0; i < daemon_count; i++) {
        struct started *started = &daemons[i];

        if (started->running) {
            int status = harness_stop(&started->daemon);

            ck_assert_msg(status == 0, "the daemon ended with %d:\n%s", status,
                          harness_log(&started->daemon));
        }
        close(started->notify_fd);
    }
    daemon_count = 0;
    remove_folder(harness_folder);
}

/* ---- child processes ---- */

/* A child of a test that Check ends at its first failure must not outlive it. */
static pid_t fork_bound(void)
{
    pid_t parent = getpid();
    pid_t pid;

    fflush(NULL);
    pid = fork();
    ck_assert_msg(pid >= 0, "fork: %s", strerror(errno));
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != parent)
            _exit(126);
    }
    return pid;
}

static int exit_code(int status)
{
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* Waits for the end of a child; false if the time is over first. */
static bool wait_for(pid_t pid, int64_t deadline, int *ret_status)
{
    int status;

    for (;;) {
        pid_t r = waitpid(pid, &status, WNOHANG);

        ck_assert_msg(r >= 0, "waitpid: %s", strerror(errno));
        if (r == pid) {
            *ret_status = exit_code(status);
            return true;
        }
        if (harness_now() > deadline)
            return false;
        pause_briefly();
    }
}

/* As wait_for; kills the child and fails the test when the time is over. */
static int wait_or_kill(pid_t pid, double seconds, const char *what)
{
    int status;

    if (wait_for(pid, deadline_in(seconds), &status))
        return status;
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    ck_abort_msg("%s did not end in time", what);
}

char *harness_read_file(const char *path)
{
    FILE *file = fopen(path, "re");
    char *text = NULL;
    char *more;
    size_t size = 0;
    size_t n = 0;

    do {
        size += n;
        more = realloc(text, size + 4097);
        ck_assert_ptr_nonnull(more);
        text = more;
        n = file ? fread(text + size, 1, 4096, file) : 0;
    } while (n > 0);
    text[size] = '\0';
    if (file)
        fclose(file);
    return text;
}

/* ---- daemons ---- */

static void add_argument(struct arguments *arguments, const char *text)
{
    ck_assert_int_lt(arguments->count, ARGUMENTS_MAX);
    arguments->list[arguments->count] = strdup(text);
    ck_assert_ptr_nonnull(arguments->list[arguments->count]);
    arguments->list[++arguments->count] = NULL;
}

static void add_path(struct arguments *arguments, const char *folder, const char *name)
{
    char path[512];

    snprintf(path, sizeof(path), "%s/%s", folder, name);
    add_argument(arguments, path);
}

static void free_arguments(struct arguments *arguments)
{
    for (int i = 0; i < arguments->count; i++)
        free(arguments->list[i]);
    arguments->count = 0;
}

static void add_program(struct arguments *arguments)
{
    const char *wrapper = getenv(WRAPPER_VARIABLE);
    char *words = strdup(wrapper ? wrapper : "");
    char *state = NULL;

    for (char *word = strtok_r(words, " ", &state); word; word = strtok_r(NULL, " ", &state))
        add_argument(arguments, word);
    free(words);
    add_path(arguments, harness_build(), "memstored");
}

static void add_places(struct arguments *arguments, const char *socket, const char *data)
{
    add_argument(arguments, "--socket");
    add_path(arguments, harness_folder, socket);
    add_argument(arguments, "--data");
    add_path(arguments, harness_folder, data);
}

static void add_list(struct arguments *arguments, const char *const *more)
{
    for (; *more; more++)
        add_argument(arguments, *more);
}

static const char *socket_argument(const struct arguments *arguments)
{
    const char *path = "";

    for (int i = 1; i < arguments->count; i++) {
        if (strcmp(arguments->list[i - 1], "--socket") == 0)
            path = arguments->list[i];
        else if (strncmp(arguments->list[i], "--socket=", 9) == 0)
            path = arguments->list[i] + 9;
    }
    return path;
}

static int notify_socket(char *path, size_t size)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    ck_assert_int_ge(fd, 0);
    snprintf(address.sun_path, sizeof(address.sun_path), "%s/notify.%d", harness_folder,
             daemon_count);
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    snprintf(path, size, "%s", address.sun_path);
    return fd;
}

/* What systemd does for a service with a socket unit: descriptor 3, and whom it is meant for. */
static void pass_listening_socket(void)
{
    char pid[16];

    if (listen_fd < 0)
        return;
    if (listen_fd == 3)
        fcntl(3, F_SETFD, 0);
    else
        dup2(listen_fd, 3);
    snprintf(pid, sizeof(pid), "%d", (int)getpid());
    setenv("LISTEN_PID", pid, 1);
    setenv("LISTEN_FDS", "1", 1);
}

static pid_t spawn(const struct arguments *arguments, const char *log)
{
    pid_t pid = fork_bound();
    int fd;

    if (pid > 0)
        return pid;
    fd = open(log, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600);
    if (fd < 0 || dup2(fd, STDERR_FILENO) < 0 || dup2(fd, STDOUT_FILENO) < 0)
        _exit(126);
    pass_listening_socket();
    execvp(arguments->list[0], arguments->list);
    fprintf(stderr, "%s: %s\n", arguments->list[0], strerror(errno));
    _exit(127);
}

/* True if the next notification that has arrived contains the line. */
static bool take_notification(const struct started *started, const char *line)
{
    char text[4096];
    ssize_t n = recv(started->notify_fd, text, sizeof(text) - 1, MSG_DONTWAIT);

    if (n < 0)
        return false;
    text[n] = '\0';
    return strstr(text, line);
}

static void await_ready(struct started *started)
{
    int64_t deadline = deadline_in(START_SECONDS);
    int status;

    while (!take_notification(started, "READY=1")) {
        struct pollfd poll_fd = {.fd = started->notify_fd, .events = POLLIN};

        if (wait_for(started->daemon.pid, 0, &status)) {
            started->running = false;
            ck_abort_msg("the daemon ended with %d:\n%s", status, harness_log(&started->daemon));
        }
        if (harness_now() > deadline)
            ck_abort_msg("the daemon is not ready:\n%s", harness_log(&started->daemon));
        poll(&poll_fd, 1, 5);
    }
}

static struct started *launch(struct arguments *arguments, const char *socket)
{
    struct started *started = &daemons[daemon_count];
    struct harness_daemon *daemon = &started->daemon;
    char notify[108];

    ck_assert_int_lt(daemon_count, DAEMONS_MAX);
    snprintf(daemon->socket, sizeof(daemon->socket), "%s", socket);
    snprintf(daemon->log, sizeof(daemon->log), "%s/log.%d", harness_folder, daemon_count);
    started->notify_fd = notify_socket(notify, sizeof(notify));
    setenv("NOTIFY_SOCKET", notify, 1);
    daemon->pid = spawn(arguments, daemon->log);
    unsetenv("NOTIFY_SOCKET");
    listen_fd = -1;
    started->running = true;
    daemon_count++;
    free_arguments(arguments);
    return started;
}

struct harness_daemon *harness_start_list(const char *const *more)
{
    struct arguments arguments = {0};
    struct started *started;
    char socket[108];

    add_program(&arguments);
    add_places(&arguments, "socket", "data");
    add_list(&arguments, more);
    snprintf(socket, sizeof(socket), "%s", socket_argument(&arguments));
    started = launch(&arguments, socket);
    await_ready(started);
    return &started->daemon;
}

struct harness_daemon *harness_start_apart_list(const char *name, const char *const *more)
{
    struct arguments arguments = {0};
    struct started *started;
    char socket[108];
    char data[108];

    snprintf(socket, sizeof(socket), "%s.socket", name);
    snprintf(data, sizeof(data), "%s.data", name);
    add_program(&arguments);
    add_places(&arguments, socket, data);
    add_list(&arguments, more);
    snprintf(socket, sizeof(socket), "%s/%s.socket", harness_folder, name);
    started = launch(&arguments, socket);
    await_ready(started);
    return &started->daemon;
}

struct harness_daemon *harness_start_bare_list(const char *socket, const char *const *more)
{
    struct arguments arguments = {0};
    struct started *started;

    add_program(&arguments);
    add_list(&arguments, more);
    started = launch(&arguments, socket);
    await_ready(started);
    return &started->daemon;
}

int harness_refused_list(char **ret_log, const char *const *more)
{
    struct arguments arguments = {0};
    struct started *started;
    int status;

    add_program(&arguments);
    add_places(&arguments, "socket", "data");
    add_list(&arguments, more);
    started = launch(&arguments, "");
    started->running = false;
    status = wait_or_kill(started->daemon.pid, START_SECONDS, "a daemon that should refuse");
    *ret_log = harness_read_file(started->daemon.log);
    return status;
}

void harness_activate(int fd)
{
    listen_fd = fd;
}

void harness_await_notification(const struct harness_daemon *daemon, const char *line)
{
    const struct started *started = (const struct started *)daemon;
    int64_t deadline = deadline_in(START_SECONDS);

    while (!take_notification(started, line)) {
        struct pollfd poll_fd = {.fd = started->notify_fd, .events = POLLIN};

        ck_assert_msg(harness_now() < deadline, "no notification %s came", line);
        poll(&poll_fd, 1, 100);
    }
}

int harness_stop(struct harness_daemon *daemon)
{
    ((struct started *)daemon)->running = false;
    kill(daemon->pid, SIGTERM);
    return wait_or_kill(daemon->pid, WAIT_SECONDS, "the daemon");
}

void harness_kill(struct harness_daemon *daemon)
{
    ((struct started *)daemon)->running = false;
    kill(daemon->pid, SIGKILL);
    waitpid(daemon->pid, NULL, 0);
}

const char *harness_log(const struct harness_daemon *daemon)
{
    static char *text;

    free(text);
    text = harness_read_file(daemon->log);
    return text;
}

/* ---- clients ---- */

static struct memstore *open_store(const struct harness_daemon *daemon, const char *bucket,
                                   enum memstore_reads reads)
{
    struct memstore_options options = {
        .size = sizeof(options),
        .socket = daemon->socket,
        .bucket = bucket,
        .timeout_ms = (int)(harness_seconds(30) * 1000),
        .reads = reads,
        .calls = reads == MEMSTORE_READS_SOCKET ? MEMSTORE_CALLS_SOCKET : MEMSTORE_CALLS_AUTO};
    struct memstore *store = NULL;
    int r = memstore_open(&options, &store);

    ck_assert_msg(r == 0, "open: %s", memstore_message());
    return store;
}

struct memstore *harness_open(const struct harness_daemon *daemon)
{
    return open_store(daemon, NULL, MEMSTORE_READS_AUTO);
}

struct memstore *harness_open_reads(const struct harness_daemon *daemon, enum memstore_reads reads)
{
    return open_store(daemon, NULL, reads);
}

struct memstore *harness_open_bucket(const struct harness_daemon *daemon, const char *bucket)
{
    return open_store(daemon, bucket, MEMSTORE_READS_AUTO);
}

bool harness_calls_by_socket(void)
{
    const char *calls = getenv("MEMSTORE_CALLS");

    return calls && strcmp(calls, "socket") == 0;
}

void harness_may_ask(void)
{
    const char *reads = getenv("MEMSTORE_READS");

    if (reads && strcmp(reads, "direct") == 0)
        unsetenv("MEMSTORE_READS");
}

struct memstore_stats harness_stats(struct memstore *store)
{
    struct memstore_stats stats = {0};

    ck_assert_msg(memstore_stats(store, &stats, sizeof(stats)) == 0, "stats: %s",
                  memstore_message());
    return stats;
}

struct memstore_holder *harness_holders(struct memstore *store, size_t *ret_count)
{
    struct memstore_holder *holders = NULL;
    int r = memstore_holders(store, &holders, ret_count, sizeof(*holders));

    ck_assert_msg(r == 0, "holders: %s", memstore_message());
    return holders;
}

int harness_connect(const struct harness_daemon *daemon)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    ck_assert_int_ge(fd, 0);
    snprintf(address.sun_path, sizeof(address.sun_path), "%s", daemon->socket);
    ck_assert_msg(connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0, "connect: %s",
                  strerror(errno));
    return fd;
}

static void kill_all(const pid_t *pids, int count)
{
    for (int i = 0; i < count; i++) {
        if (pids[i] > 0) {
            kill(pids[i], SIGKILL);
            waitpid(pids[i], NULL, 0);
        }
    }
}

pid_t harness_fork(int (*run)(int index, void *argument), int index, void *argument)
{
    pid_t pid = fork_bound();

    if (pid == 0)
        _exit(run(index, argument));
    return pid;
}

void harness_processes(int count, int (*run)(int index, void *argument), void *argument)
{
    int64_t deadline = deadline_in(WAIT_SECONDS);
    pid_t pids[64];

    ck_assert_int_le(count, 64);
    for (int i = 0; i < count; i++)
        pids[i] = harness_fork(run, i, argument);
    for (int i = 0; i < count; i++) {
        int status = -1;
        bool ended = wait_for(pids[i], deadline, &status);

        if (ended)
            pids[i] = 0;
        if (!ended || status != 0) {
            kill_all(pids, count);
            if (ended)
                ck_abort_msg("process %d of %d returned %d", i, count, status);
            ck_abort_msg("process %d of %d did not end in time", i, count);
        }
    }
}

/* The shell's output goes to a file, so that a program it leaves behind cannot keep us waiting. */
static pid_t spawn_shell(const char *socket, const char *command, const char *output)
{
    pid_t pid = fork_bound();
    const char *path = getenv("PATH");
    char *build;
    char *paths;
    int fd;

    if (pid > 0)
        return pid;
    fd = open(output, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600);
    if (fd < 0 || dup2(fd, STDERR_FILENO) < 0 || dup2(fd, STDOUT_FILENO) < 0)
        _exit(126);
    build = realpath(harness_build(), NULL);
    if (!build || asprintf(&paths, "%s:%s", build, path ? path : "/usr/bin:/bin") < 0)
        _exit(126);
    setenv("PATH", paths, 1);
    if (socket)
        setenv("MEMSTORE_SOCKET", socket, 1);
    else
        unsetenv("MEMSTORE_SOCKET");
    execl("/bin/sh", "sh", "-c", command, (char *)NULL);
    _exit(127);
}

int harness_shell(const struct harness_daemon *daemon, char **ret_output, const char *format, ...)
{
    static int count;
    char output[128];
    char *command = NULL;
    va_list arguments;
    int status;

    va_start(arguments, format);
    ck_assert_int_ge(vasprintf(&command, format, arguments), 0);
    va_end(arguments);
    snprintf(output, sizeof(output), "%s/shell.%d", harness_folder, count++);
    status = wait_or_kill(spawn_shell(daemon ? daemon->socket : NULL, command, output),
                          WAIT_SECONDS, command);
    if (ret_output)
        *ret_output = harness_read_file(output);
    unlink(output);
    free(command);
    return status;
}

void harness_await(bool (*condition)(void *argument), void *argument, const char *what)
{
    int64_t deadline = deadline_in(START_SECONDS);

    while (!condition(argument)) {
        ck_assert_msg(harness_now() < deadline, "waited in vain: %s", what);
        pause_briefly();
    }
}

void harness_put(struct memstore *store, const char *key, const char *value)
{
    int r = memstore_put(store, key, strlen(key), value, strlen(value), NULL, NULL);

    ck_assert_msg(r == 0, "put %s: %s", key, memstore_message());
}

void harness_expect(struct memstore *store, const char *key, const char *value)
{
    struct memstore_object *object = NULL;
    size_t size;
    int r = memstore_get(store, key, strlen(key), 0, MEMSTORE_TO_END, &object);

    ck_assert_msg(r == 0, "get %s: %s", key, memstore_message());
    ck_assert_str_eq(memstore_object_value(object, &size), value);
    ck_assert_uint_eq(size, strlen(value));
    memstore_object_free(object);
}

/* One word of what harness_fill makes, and the seed of the next. */
static uint64_t next_word(uint64_t *seed)
{
    uint64_t word = *seed += 0x9e3779b97f4a7c15;

    word = (word ^ (word >> 30)) * 0xbf58476d1ce4e5b9;
    word = (word ^ (word >> 27)) * 0x94d049bb133111eb;
    return word ^ (word >> 31);
}

void harness_fill(void *buffer, size_t size, uint64_t seed)
{
    uint8_t *bytes = buffer;

    for (size_t i = 0; i < size; i += sizeof(uint64_t)) {
        uint64_t word = next_word(&seed);
        size_t rest = size - i;

        memcpy(bytes + i, &word, rest < sizeof(word) ? rest : sizeof(word));
    }
}

bool harness_is_filled(const void *buffer, size_t size, uint64_t seed)
{
    const uint8_t *bytes = buffer;

    for (size_t i = 0; i < size; i += sizeof(uint64_t)) {
        uint64_t word = next_word(&seed);
        size_t rest = size - i;

        if (memcmp(bytes + i, &word, rest < sizeof(word) ? rest : sizeof(word)) != 0)
            return false;
    }
    return true;
}

void harness_put_filled(struct memstore *store, const char *key, size_t size, uint64_t seed)
{
    char *bytes = malloc(size + 1);
    int r;

    ck_assert_ptr_nonnull(bytes);
    harness_fill(bytes, size, seed);
    r = memstore_put(store, key, strlen(key), bytes, size, NULL, NULL);
    ck_assert_msg(r == 0, "put %s: %s", key, memstore_message());
    free(bytes);
}

struct memstore_view *harness_view(struct memstore *store, const char *key)
{
    struct memstore_view *view = NULL;
    int r = memstore_view(store, key, strlen(key), &view);

    ck_assert_msg(r == 0, "view %s: %s", key, memstore_message());
    return view;
}

bool harness_view_shows(const struct memstore_view *view, size_t size, uint64_t seed)
{
    size_t actual;
    const void *bytes = memstore_view_value(view, &actual);

    return actual == size && harness_is_filled(bytes, size, seed);
}

void harness_skip(const char *test, const char *why)
{
    fprintf(stderr, "skipped: %s: %s\n", test, why);
}

/* ---- the program ---- */

/* The folders of failed tests, which had no teardown. */
static void remove_leftovers(void)
{
    char pattern[128];
    glob_t folders = {0};

    snprintf(pattern, sizeof(pattern), "%s*", folder_prefix());
    if (glob(pattern, 0, NULL, &folders) == 0) {
        for (size_t i = 0; i < folders.gl_pathc; i++)
            remove_folder(folders.gl_pathv[i]);
    }
    globfree(&folders);
}

int harness_main(Suite *suite)
{
    SRunner *runner = srunner_create(suite);
    char prefix[64];
    int failed;

    snprintf(prefix, sizeof(prefix), "/dev/shm/memstore-test-%d-", (int)getpid());
    setenv(PREFIX_VARIABLE, prefix, 0);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    remove_leftovers();
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
