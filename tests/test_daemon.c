/* memstored as a program: its options, how it starts and refuses to, what it leaves, full memory.
 */
#include "tests/harness.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

#define MIB ((size_t)1 << 20)

static void setup(void)
{
    harness_setup();
}

/* ---- small things ---- */

/* A path in the test's folder. It lives for the next seven calls. */
static const char *path_of(const char *name)
{
    static char paths[8][256];
    static int next;
    char *path = paths[next++ % 8];

    snprintf(path, sizeof(paths[0]), "%s/%s", harness_folder, name);
    return path;
}

static bool exists(const char *path)
{
    struct stat info;

    return lstat(path, &info) == 0;
}

static mode_t mode_of(const char *path)
{
    struct stat info;

    ck_assert_msg(lstat(path, &info) == 0, "%s: %s", path, strerror(errno));
    return info.st_mode & 07777;
}

static ino_t inode_of(const char *path)
{
    struct stat info;

    ck_assert_msg(lstat(path, &info) == 0, "%s: %s", path, strerror(errno));
    return info.st_ino;
}

static void write_file(const char *path, const void *bytes, size_t size)
{
    FILE *file = fopen(path, "we");

    ck_assert_ptr_nonnull(file);
    ck_assert_uint_eq(fwrite(bytes, 1, size, file), size);
    ck_assert_int_eq(fclose(file), 0);
}

static struct memstore_stats stats_of(struct memstore *store)
{
    struct memstore_stats stats;

    ck_assert_int_eq(memstore_stats(store, &stats, sizeof(stats)), 0);
    return stats;
}

static void expect_serving(const struct harness_daemon *daemon)
{
    struct memstore *store = harness_open(daemon);

    ck_assert_uint_eq(stats_of(store).pid, (uint64_t)daemon->pid);
    harness_put(store, "served", "yes");
    harness_expect(store, "served", "yes");
    memstore_close(store);
}

/* Refuses with one line, an error for journald, that has the words in it. */
static void expect_refusal(int status, char *log, const char *first, const char *second)
{
    ck_assert_msg(status == 1 || status == 2, "exit status %d: %s", status, log);
    ck_assert_msg(strncmp(log, "<3>", 3) == 0, "%s", log);
    ck_assert_msg(strchr(log, '\n') == log + strlen(log) - 1, "not one line: %s", log);
    ck_assert_msg(strstr(log, first), "'%s' is not in: %s", first, log);
    ck_assert_msg(strstr(log, second), "'%s' is not in: %s", second, log);
    free(log);
}

#define expect_refused(first, second, ...)                 \
    do {                                                   \
        char *log_ = NULL;                                 \
        int status_ = harness_refused(&log_, __VA_ARGS__); \
        expect_refusal(status_, log_, first, second);      \
    } while (0)

/* ---- options ---- */

START_TEST(version_and_help_are_printed)
{
    char *output;

    ck_assert_int_eq(harness_shell(NULL, &output, "memstored --version 2>/dev/null"), 0);
    ck_assert_msg(strstr(output, memstore_version()), "%s", output);
    free(output);
    ck_assert_int_eq(harness_shell(NULL, &output, "memstored --help 2>/dev/null"), 0);
    ck_assert_msg(strstr(output, "--max-memory") && strstr(output, "MEMSTORE_MAX_SIZE"), "%s",
                  output);
    free(output);
}
END_TEST

static const char *const wrong_options[][2] = {{"--max-size", "12Q"},
                                               {"--max-size", ""},
                                               {"--max-size", "-1"},
                                               {"--max-size", "1.5M"},
                                               {"--max-size", "lots"},
                                               {"--max-size", "99999999999G"},
                                               {"--max-size", "1M "},
                                               {"--max-memory", "12Q"},
                                               {"--max-memory", "1K"},
                                               {"--max-memory", "none"},
                                               {"--socket-mode", "999"},
                                               {"--socket-mode", "rw"},
                                               {"--socket-mode", "10777"},
                                               {"--client-timeout", "soon"},
                                               {"--client-timeout", "0"},
                                               {"--client-timeout", "-5"},
                                               {"--client-timeout", "9999999999999999999999"},
                                               {"--spin-us", "fast"},
                                               {"--spin-us", "-1"},
                                               {"--spin-us", "1001"}};

START_TEST(options_that_do_not_parse_are_refused)
{
    const char *name = wrong_options[_i][0];
    const char *value = wrong_options[_i][1];

    expect_refused(name, value, name, value);
    ck_assert(!exists(path_of("socket")) && !exists(path_of("data")));
}
END_TEST

START_TEST(variables_that_do_not_parse_are_refused)
{
    static const char *const wrong[][2] = {
        {"MEMSTORE_MAX_SIZE", "12Q"},       {"MEMSTORE_MAX_MEMORY", "1"},
        {"MEMSTORE_SOCKET_MODE", "888"},    {"MEMSTORE_KEEP", "perhaps"},
        {"MEMSTORE_ALLOW_DISK", "perhaps"}, {"MEMSTORE_CLIENT_TIMEOUT", "x"}};

    setenv(wrong[_i][0], wrong[_i][1], 1);
    expect_refused(wrong[_i][0], wrong[_i][1], NULL);
}
END_TEST

START_TEST(what_is_no_option_is_refused)
{
    static const char *const wrong[][2] = {
        {"--nonsense", "--nonsense"}, {"-x", "-x: not an option"},
        {"-yx", "-y: not an option"}, {"--keep=yes", "--keep=yes: this option takes no value"},
        {"argument", "argument"},     {"--max-size", "--max-size"}};

    expect_refused(wrong[_i][1], "memstored --help", wrong[_i][0]);
}
END_TEST

START_TEST(variables_are_as_good_as_options)
{
    struct harness_daemon *daemon;
    struct memstore *store;

    setenv("MEMSTORE_SOCKET", path_of("other-socket"), 1);
    setenv("MEMSTORE_DATA", path_of("other-data"), 1);
    setenv("MEMSTORE_MAX_SIZE", "3M", 1);
    setenv("MEMSTORE_MAX_MEMORY", "40M", 1);
    setenv("MEMSTORE_SOCKET_MODE", "0620", 1);
    setenv("MEMSTORE_KEEP", "yes", 1);
    daemon = harness_start_bare(path_of("other-socket"), NULL);
    store = harness_open(daemon);
    ck_assert_uint_eq(stats_of(store).max_size, 3 * MIB);
    ck_assert_uint_eq(stats_of(store).max_memory, 40 * MIB);
    ck_assert_uint_eq(mode_of(path_of("other-socket")), 0620);
    memstore_close(store);
    ck_assert_int_eq(harness_stop(daemon), 0);
    ck_assert(exists(path_of("other-data/data.mdb")));
}
END_TEST

START_TEST(options_go_before_variables)
{
    struct harness_daemon *daemon;
    struct memstore *store;

    setenv("MEMSTORE_SOCKET", path_of("not-this-one"), 1);
    setenv("MEMSTORE_DATA", path_of("nor-this"), 1);
    setenv("MEMSTORE_MAX_SIZE", "3M", 1);
    setenv("MEMSTORE_SOCKET_MODE", "0620", 1);
    daemon = harness_start("--max-size", "5M", "--socket-mode=0640");
    store = harness_open(daemon);
    ck_assert_uint_eq(stats_of(store).max_size, 5 * MIB);
    ck_assert_uint_eq(mode_of(daemon->socket), 0640);
    ck_assert(!exists(path_of("not-this-one")) && !exists(path_of("nor-this")));
    memstore_close(store);
}
END_TEST

START_TEST(sizes_have_units)
{
    static const struct {
        const char *text;
        uint64_t size;
    } cases[] = {{"0", 0},        {"1048577", 1048577}, {"7K", 7 << 10},          {"7k", 7 << 10},
                 {"7M", 7 << 20}, {"1G", 1 << 30},      {"none", MEMSTORE_TO_END}};
    struct memstore *store;

    store = harness_open(harness_start("--max-size", cases[_i].text));
    ck_assert_uint_eq(stats_of(store).max_size, cases[_i].size);
    memstore_close(store);
}
END_TEST

START_TEST(max_memory_follows_max_size)
{
    struct memstore *store = harness_open(harness_start("--max-size", "64M"));

    ck_assert_uint_eq(stats_of(store).max_memory, 160 * MIB);
    memstore_close(store);
}
END_TEST

START_TEST(start_line_says_what_was_chosen)
{
    struct harness_daemon *daemon = harness_start(NULL);
    const char *log = harness_log(daemon);
    struct memstore *store = harness_open(daemon);

    ck_assert_msg(strstr(log, daemon->socket), "%s", log);
    ck_assert_msg(strstr(log, path_of("data")), "%s", log);
    ck_assert_msg(strstr(log, "max size"), "%s", log);
    ck_assert_msg(strstr(log, "max memory"), "%s", log);
    ck_assert_msg(log[0] == '<' && log[2] == '>', "%s", log);
    /* A quarter of memory, which every machine of these days has more than 16 MiB of. */
    ck_assert_uint_gt(stats_of(store).max_size, 16 * MIB);
    memstore_close(store);
}
END_TEST

/* ---- the socket ---- */

START_TEST(second_daemon_on_a_socket_is_refused)
{
    struct harness_daemon *first = harness_start(NULL);
    ino_t inode = inode_of(first->socket);

    for (int i = 0; i < 3; i++) {
        expect_refused(first->socket, "another memstored", "--data", path_of("elsewhere"));
        ck_assert_uint_eq(inode_of(first->socket), inode);
        expect_serving(first);
    }
    ck_assert(!exists(path_of("elsewhere")));
}
END_TEST

START_TEST(second_daemon_on_a_data_folder_is_refused)
{
    struct harness_daemon *first = harness_start(NULL);

    expect_refused(path_of("data"), "another memstored", "--socket", path_of("elsewhere"));
    expect_serving(first);
    ck_assert(exists(path_of("data/data.mdb")));
    ck_assert(!exists(path_of("elsewhere")));
}
END_TEST

static int listen_at(const char *path, int backlog)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    ck_assert_int_ge(fd, 0);
    snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    ck_assert_int_eq(listen(fd, backlog), 0);
    return fd;
}

static void fill_backlog(void)
{
    struct harness_daemon place = {.pid = 0};

    snprintf(place.socket, sizeof(place.socket), "%s", path_of("socket"));
    close(harness_connect(&place));
}

START_TEST(live_socket_of_another_program_is_left_alone)
{
    int fd = listen_at(path_of("socket"), _i ? 0 : 16);
    ino_t inode = inode_of(path_of("socket"));

    if (_i) /* then a probe is neither taken nor refused */
        fill_backlog();
    expect_refused(path_of("socket"), "another", NULL);
    ck_assert_uint_eq(inode_of(path_of("socket")), inode);
    ck_assert(!exists(path_of("data")));
    close(fd);
}
END_TEST

START_TEST(file_at_the_sockets_place_is_left_alone)
{
    char *text;

    write_file(path_of("socket"), "precious", 8);
    expect_refused(path_of("socket"), "not a socket", NULL);
    text = harness_read_file(path_of("socket"));
    ck_assert_str_eq(text, "precious");
    free(text);
}
END_TEST

START_TEST(dead_socket_is_replaced)
{
    struct harness_daemon *first = harness_start(NULL);

    harness_kill(first);
    ck_assert(exists(first->socket));
    expect_serving(harness_start(NULL));
    close(listen_at(path_of("dead"), 1)); /* and one that was another program's */
    expect_serving(harness_start_bare(path_of("dead"), "--socket", path_of("dead"), "--data",
                                      path_of("more-data")));
}
END_TEST

START_TEST(socket_path_too_long_is_refused)
{
    char path[300];
    size_t length = strlen(harness_folder);

    memset(path, 'x', sizeof(path));
    memcpy(path, harness_folder, length);
    path[length] = '/';
    path[108] = '\0';
    expect_refused(path, "longer than the 107 bytes", "--socket", path);
    ck_assert(!exists(path_of("data")));
    path[107] = '\0'; /* just fits, and is not cut */
    expect_serving(harness_start("--socket", path));
    ck_assert(exists(path));
}
END_TEST

START_TEST(socket_is_for_its_owner_unless_asked_otherwise)
{
    static const struct {
        const char *option;
        mode_t mode;
    } cases[] = {{"0660", 0660}, {"666", 0666}, {"0600", 0600}};
    struct harness_daemon *daemon;

    umask(0);
    daemon = harness_start(NULL);
    ck_assert_uint_eq(mode_of(daemon->socket), 0600);
    ck_assert_int_eq(harness_stop(daemon), 0);
    umask(077);
    for (int i = 0; i < 3; i++) {
        daemon = harness_start("--socket-mode", cases[i].option);
        ck_assert_uint_eq(mode_of(daemon->socket), cases[i].mode);
        ck_assert_int_eq(harness_stop(daemon), 0);
    }
}
END_TEST

START_TEST(folder_of_the_socket_is_made)
{
    struct harness_daemon *daemon = harness_start("--socket", path_of("new/socket"));

    ck_assert_uint_eq(mode_of(path_of("new")), 0700);
    expect_serving(daemon);
    expect_refused(path_of("none/none/socket"), "", "--socket", path_of("none/none/socket"),
                   "--data", path_of("more-data"));
}
END_TEST

#define RACERS 8

/* Becomes a daemon at the common socket, with a data folder of its own. */
static int race(int index, void *argument)
{
    char program[300];
    char data[300];
    int fd = open(path_of("race.log"), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);

    (void)argument;
    snprintf(program, sizeof(program), "%s/memstored", harness_build());
    snprintf(data, sizeof(data), "%s/data-%d", harness_folder, index);
    if (fd < 0 || dup2(fd, STDERR_FILENO) < 0)
        return 126;
    execl(program, program, "--socket", path_of("socket"), "--data", data, "--max-size", "1M",
          (char *)NULL);
    return 127;
}

struct racers {
    pid_t pids[RACERS];
    int running;
};

static bool one_is_left(void *argument)
{
    struct racers *racers = argument;

    for (int i = 0; i < RACERS; i++) {
        int status;

        if (racers->pids[i] > 0 && waitpid(racers->pids[i], &status, WNOHANG) > 0) {
            ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 1, "status %d", status);
            racers->pids[i] = 0;
            racers->running--;
        }
    }
    return racers->running <= 1;
}

/* Of daemons that start at the same moment, on a dead socket, one wins and the others see it. */
START_TEST(one_daemon_wins_a_race)
{
    for (int round = 0; round < 10; round++) {
        struct racers racers = {.running = RACERS};
        struct harness_daemon winner = {.pid = 0};

        if (round % 2)
            unlink(path_of("socket"));
        for (int i = 0; i < RACERS; i++)
            racers.pids[i] = harness_fork(race, i, NULL);
        harness_await(one_is_left, &racers, "more than one daemon is running");
        ck_assert_int_eq(racers.running, 1);
        for (int i = 0; i < RACERS; i++)
            winner.pid += racers.pids[i];
        snprintf(winner.socket, sizeof(winner.socket), "%s", path_of("socket"));
        expect_serving(&winner);
        kill(winner.pid, SIGKILL);
        waitpid(winner.pid, NULL, 0);
    }
}
END_TEST

/* ---- the data folder ---- */

START_TEST(data_folder_is_private_and_goes)
{
    struct harness_daemon *daemon = harness_start(NULL);

    umask(0);
    expect_serving(daemon);
    ck_assert_uint_eq(mode_of(path_of("data")), 0700);
    ck_assert_uint_eq(mode_of(path_of("data/data.mdb")) & 077, 0);
    ck_assert_int_eq(harness_stop(daemon), 0);
    ck_assert(!exists(path_of("data")));
    ck_assert(!exists(daemon->socket));
    daemon = harness_start(NULL);
    kill(daemon->pid, SIGINT);
    ck_assert_int_eq(harness_stop(daemon), 0);
    ck_assert(!exists(path_of("data")));
}
END_TEST

START_TEST(folders_made_without_a_umask_are_private_too)
{
    struct harness_daemon *daemon;

    umask(0);
    daemon = harness_start("--socket", path_of("run/socket"), "--data", path_of("deep/er/data"));
    ck_assert_uint_eq(mode_of(path_of("deep/er/data")), 0700);
    ck_assert_uint_eq(mode_of(path_of("deep/er/data/data.mdb")) & 077, 0);
    ck_assert_uint_eq(mode_of(path_of("run")) & 022, 0);
    ck_assert_int_eq(harness_stop(daemon), 0);
}
END_TEST

START_TEST(files_of_others_stay)
{
    struct harness_daemon *daemon;
    char *text;

    ck_assert_int_eq(mkdir(path_of("data"), 0700), 0);
    write_file(path_of("data/notes"), "precious", 8);
    daemon = harness_start(NULL);
    expect_serving(daemon);
    ck_assert_int_eq(harness_stop(daemon), 0);
    text = harness_read_file(path_of("data/notes"));
    ck_assert_str_eq(text, "precious");
    ck_assert(!exists(path_of("data/data.mdb")));
    free(text);
}
END_TEST

START_TEST(folders_that_cannot_be_used_are_refused)
{
    write_file(path_of("file"), "precious", 8);
    expect_refused(path_of("file"), "", "--data", path_of("file"));
    ck_assert_int_eq(symlink(path_of("target"), path_of("link")), 0);
    ck_assert_int_eq(mkdir(path_of("target"), 0700), 0);
    ck_assert_int_eq(mkdir(path_of("public"), 0700), 0);
    ck_assert_int_eq(chmod(path_of("public"), 0777), 0);
    expect_refused(path_of("public"), "open to others", "--data", path_of("public"));
    ck_assert_uint_eq(mode_of(path_of("public")), 0777);
}
END_TEST

/* What the next start has to find. */
struct kept {
    uint64_t version;
    uint64_t used;
    uint64_t objects;
    char *large;
};

static struct kept fill_store(struct memstore *store)
{
    struct memstore_metadata pair = {"a", "1"};
    struct memstore_put_options options = {
        .size = sizeof(options), .content_type = "text/x", .metadata = &pair, .metadata_count = 1};
    struct kept kept = {.large = malloc(3 * MIB)};

    harness_fill(kept.large, 3 * MIB, 1);
    for (int i = 0; i < 500; i++) {
        char key[32];

        snprintf(key, sizeof(key), "key-%d", i);
        ck_assert_int_eq(memstore_put(store, key, strlen(key), key, strlen(key), &options, NULL),
                         0);
    }
    ck_assert_int_eq(memstore_put(store, "large", 5, kept.large, 3 * MIB, NULL, NULL), 0);
    ck_assert_int_eq(memstore_copy(store, "large", 5, "copy", 4, NULL), 0);
    ck_assert_int_eq(memstore_delete(store, "key-7", 5), 0);
    ck_assert_int_eq(memstore_put(store, "", 0, "", 0, NULL, NULL), 0);
    kept.version = stats_of(store).version;
    kept.used = stats_of(store).used;
    kept.objects = stats_of(store).objects;
    return kept;
}

static void expect_large(struct memstore *store, const char *key, const struct kept *kept)
{
    struct memstore_object *object = NULL;

    ck_assert_int_eq(memstore_get(store, key, strlen(key), 0, MEMSTORE_TO_END, &object), 0);
    ck_assert_uint_eq(memstore_object_size(object), 3 * MIB);
    ck_assert_int_eq(memcmp(memstore_object_value(object, NULL), kept->large, 3 * MIB), 0);
    memstore_object_free(object);
}

static void expect_kept(struct memstore *store, struct kept *kept)
{
    struct memstore_object *object = NULL;

    ck_assert_uint_eq(stats_of(store).objects, kept->objects);
    ck_assert_uint_eq(stats_of(store).used, kept->used);
    ck_assert_uint_eq(stats_of(store).version, kept->version);
    for (int i = 0; i < 500; i++) {
        char key[32];

        snprintf(key, sizeof(key), "key-%d", i);
        if (i != 7)
            harness_expect(store, key, key);
    }
    expect_large(store, "large", kept);
    ck_assert_int_eq(memstore_delete(store, "large", 5), 0);
    expect_large(store, "copy", kept);
    ck_assert_int_eq(memstore_exists(store, "key-7", 5), 0);
    ck_assert_int_eq(memstore_put(store, "key-8", 5, "new", 3, NULL, &object), 0);
    ck_assert_uint_gt(memstore_object_version(object), kept->version);
    memstore_object_free(object);
    ck_assert_int_eq(memstore_info(store, "key-9", 5, &object), 0);
    ck_assert_str_eq(memstore_object_content_type(object), "text/x");
    ck_assert_str_eq(memstore_object_metadata(object, "a"), "1");
    memstore_object_free(object);
    free(kept->large);
}

START_TEST(kept_store_is_found_again)
{
    struct harness_daemon *first = _i ? harness_start(NULL) : harness_start("--keep");
    struct memstore *store = harness_open(first);
    struct kept kept = fill_store(store);
    struct harness_daemon *second;

    memstore_close(store);
    if (_i)
        harness_kill(first);
    else
        ck_assert_int_eq(harness_stop(first), 0);
    ck_assert(exists(path_of("data/data.mdb")));
    second = harness_start(NULL);
    ck_assert_msg(strstr(harness_log(second), "502 objects"), "%s", harness_log(second));
    store = harness_open(second);
    expect_kept(store, &kept);
    memstore_close(store);
    ck_assert_int_eq(harness_stop(second), 0);
    ck_assert(!exists(path_of("data")));
}
END_TEST

START_TEST(kept_store_over_a_smaller_limit_can_shrink)
{
    struct harness_daemon *daemon = harness_start("--max-size", "8M", "--keep");
    struct memstore *store = harness_open(daemon);
    struct kept kept = fill_store(store);

    memstore_close(store);
    ck_assert_int_eq(harness_stop(daemon), 0);
    store = harness_open(harness_start("--max-size", "1M"));
    expect_large(store, "large", &kept);
    ck_assert_int_eq(memstore_put(store, "k", 1, "v", 1, NULL, NULL), -EDQUOT);
    ck_assert_int_eq(memstore_put(store, "large", 5, "less", 4, NULL, NULL), 0);
    ck_assert_int_eq(memstore_delete(store, "copy", 4), 0);
    ck_assert_int_eq(memstore_put(store, "k", 1, "v", 1, NULL, NULL), 0);
    memstore_close(store);
    free(kept.large);
}
END_TEST

START_TEST(damaged_store_is_refused_and_left_alone)
{
    char garbage[100000];
    char *found;

    harness_fill(garbage, sizeof(garbage), 1);
    ck_assert_int_eq(mkdir(path_of("data"), 0700), 0);
    write_file(path_of("data/data.mdb"), garbage, sizeof(garbage));
    expect_refused(path_of("data"), "damaged", NULL);
    found = harness_read_file(path_of("data/data.mdb"));
    ck_assert_int_eq(memcmp(found, garbage, sizeof(garbage)), 0);
    free(found);
    ck_assert(!exists(path_of("socket")));
}
END_TEST

/* Finds a folder that is not on tmpfs, if there is one. */
static bool disk_folder(char *path, size_t size)
{
    const char *const places[] = {harness_build(), "/var/tmp", "/tmp"};

    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        struct statfs system;

        snprintf(path, size, "%s/memstore-test-XXXXXX", places[i]);
        if (statfs(places[i], &system) == 0 && system.f_type != TMPFS_MAGIC && mkdtemp(path))
            return true;
    }
    return false;
}

START_TEST(disk_is_refused_unless_allowed)
{
    char folder[300];
    char data[320];
    struct harness_daemon *daemon;

    if (!disk_folder(folder, sizeof(folder))) {
        harness_skip("disk_is_refused_unless_allowed", "there is no folder outside of tmpfs");
        return;
    }
    snprintf(data, sizeof(data), "%s/data", folder);
    expect_refused(data, "not on tmpfs", "--data", data, "--max-size", "1M");
    ck_assert(!exists(data));
    daemon =
        harness_start("--data", data, "--max-size", "1M", "--max-memory", "16M", "--allow-disk");
    expect_serving(daemon);
    ck_assert_int_eq(harness_stop(daemon), 0);
    ck_assert(!exists(data));
    ck_assert_int_eq(rmdir(folder), 0);
}
END_TEST

/* ---- systemd ---- */

START_TEST(systemd_is_told)
{
    struct harness_daemon *daemon;

    setenv("WATCHDOG_USEC", "200000", 1);
    daemon = harness_start(NULL); /* waits for READY=1 */
    harness_await_notification(daemon, "WATCHDOG=1");
    harness_await_notification(daemon, "WATCHDOG=1");
    expect_serving(daemon);
    harness_await_notification(daemon, "WATCHDOG=1");
    ck_assert_int_eq(harness_stop(daemon), 0);
    harness_await_notification(daemon, "STOPPING=1");
}
END_TEST

START_TEST(watchdog_of_another_process_is_not_ours)
{
    struct harness_daemon *daemon;

    setenv("WATCHDOG_USEC", "1", 1); /* would be a busy loop */
    setenv("WATCHDOG_PID", "1", 1);
    daemon = harness_start(NULL);
    expect_serving(daemon);
    ck_assert_int_eq(harness_stop(daemon), 0);
    harness_await_notification(daemon, "STOPPING=1");
}
END_TEST

START_TEST(socket_of_systemd_is_served_and_left)
{
    const char *path = path_of("activated");
    int fd = listen_at(path, 16);
    ino_t inode = inode_of(path);
    struct harness_daemon waiting = {.pid = 0};
    struct harness_daemon *daemon;
    int early;

    snprintf(waiting.socket, sizeof(waiting.socket), "%s", path);
    early = harness_connect(&waiting);
    harness_activate(fd);
    daemon = harness_start_bare(waiting.socket, "--data", path_of("data"));
    ck_assert_msg(strstr(harness_log(daemon), waiting.socket), "%s", harness_log(daemon));
    expect_serving(daemon);
    ck_assert_int_eq(harness_stop(daemon), 0);
    ck_assert_uint_eq(inode_of(waiting.socket), inode);
    harness_activate(fd); /* as after a restart */
    expect_serving(harness_start_bare(waiting.socket, "--data", path_of("data")));
    close(early);
    close(fd);
}
END_TEST

START_TEST(what_is_no_listening_socket_is_refused)
{
    int pair[2];

    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    harness_activate(pair[0]);
    expect_refused("systemd", "", NULL);
    close(pair[0]);
    close(pair[1]);
}
END_TEST

/* ---- stopping ---- */

static int put_until_gone(int index, void *argument)
{
    struct memstore *store = harness_open(argument);
    static char bytes[MIB];
    int r;

    do
        r = memstore_put(store, "k", 1, bytes, (size_t)(index + 1) * 100000, NULL, NULL);
    while (r == 0);
    return r == -ECONNRESET || r == -ENOENT || r == -ECONNREFUSED ? 0 : 1;
}

static bool all_are_at_work(void *store)
{
    struct memstore_stats stats = stats_of(store);

    return stats.commits > 50 && stats.clients == 5;
}

START_TEST(stop_under_load_is_orderly)
{
    struct harness_daemon *daemon = harness_start("--max-size", "64M");
    struct memstore *store = harness_open(daemon);
    pid_t pids[4];
    int status;

    for (int i = 0; i < 4; i++)
        pids[i] = harness_fork(put_until_gone, i, daemon);
    harness_await(all_are_at_work, store, "50 commits of four processes");
    ck_assert_int_eq(harness_stop(daemon), 0);
    for (int i = 0; i < 4; i++) {
        ck_assert_int_eq(waitpid(pids[i], &status, 0), pids[i]);
        ck_assert_int_eq(status, 0);
    }
    ck_assert(!exists(path_of("data")) && !exists(daemon->socket));
    memstore_close(store);
}
END_TEST

/* ---- memory that is full ---- */

/* Puts values of that size until one is refused; the error and how many were not. */
static int put_until_full(struct memstore *store, size_t size, int *ret_count)
{
    char *bytes = malloc(size);
    int r = 0;
    int i;

    harness_fill(bytes, size, 1);
    for (i = 0; r == 0; i++) {
        char key[32];

        ck_assert_int_lt(i, 1000000);
        snprintf(key, sizeof(key), "fill-%d", i);
        r = memstore_put(store, key, strlen(key), bytes, size, NULL, NULL);
    }
    *ret_count = i - 1;
    free(bytes);
    return r;
}

static void delete_filling(struct memstore *store, int count)
{
    for (int i = 0; i < count; i++) {
        char key[32];
        int r;

        snprintf(key, sizeof(key), "fill-%d", i);
        r = memstore_delete(store, key, strlen(key));
        ck_assert_msg(r == 0, "delete %s of %d: %s", key, count, memstore_message());
    }
}

static void expect_filling(struct memstore *store, int count, size_t size)
{
    char *bytes = malloc(size);

    harness_fill(bytes, size, 1);
    for (int i = 0; i < count; i++) {
        struct memstore_object *object = NULL;
        char key[32];

        snprintf(key, sizeof(key), "fill-%d", i);
        ck_assert_int_eq(memstore_get(store, key, strlen(key), 0, MEMSTORE_TO_END, &object), 0);
        ck_assert_uint_eq(memstore_object_size(object), size);
        ck_assert_int_eq(memcmp(memstore_object_value(object, NULL), bytes, size), 0);
        memstore_object_free(object);
    }
    free(bytes);
}

static const size_t filling_sizes[] = {400, 3000, 20000, 1000000};
#define FILLING_SIZES 4

START_TEST(max_memory_is_a_limit)
{
    size_t size = filling_sizes[_i];
    struct memstore *store =
        harness_open(harness_start("--max-size", "none", "--max-memory", "24M"));
    int first = 0;

    for (int round = 0; round < 4; round++) {
        int count;

        ck_assert_int_eq(put_until_full(store, size, &count), -ENOSPC);
        ck_assert_msg(strstr(memstore_message(), "ax memory") ||
                          strstr(memstore_message(), "max-memory"),
                      "%s", memstore_message());
        ck_assert_uint_gt((size_t)count * size, round ? (size_t)first * size / 2 : MIB);
        first = round ? first : count;
        ck_assert_uint_le(stats_of(store).memory, 24 * MIB);
        expect_filling(store, count, size);
        ck_assert_uint_eq(stats_of(store).used, (size_t)count * size);
        delete_filling(store, count);
        ck_assert_uint_eq(stats_of(store).objects, 0);
    }
    harness_put(store, "k", "v");
    harness_expect(store, "k", "v");
    memstore_close(store);
}
END_TEST

/* In a full store what needs no more room still works. */
START_TEST(full_store_is_still_of_use)
{
    struct memstore *store =
        harness_open(harness_start("--max-size", "none", "--max-memory", "24M"));
    struct memstore_list *list;
    int count;

    ck_assert_int_eq(put_until_full(store, 100000, &count), -ENOSPC);
    ck_assert_int_eq(memstore_exists(store, "fill-0", 6), 1);
    ck_assert_int_eq(memstore_list(store, "", 0, NULL, &list), 0);
    ck_assert_uint_eq(memstore_list_count(list), (size_t)count);
    memstore_list_free(list);
    ck_assert_int_eq(memstore_delete(store, "fill-0", 6), 0);
    ck_assert_int_eq(memstore_delete(store, "fill-1", 6), 0);
    ck_assert_int_eq(memstore_move(store, "fill-2", 6, "fill-0", 6, NULL), 0);
    harness_put(store, "small", "fits again");
    harness_expect(store, "small", "fits again");
    memstore_close(store);
}
END_TEST

/* What is full when the daemon is killed is not fuller when the next one is. */
START_TEST(max_memory_stays_the_limit_through_restarts)
{
    for (int round = 0; round < 4; round++) {
        struct harness_daemon *daemon = harness_start("--max-size", "none", "--max-memory", "24M");
        struct memstore *store = harness_open(daemon);
        int count;

        ck_assert_int_eq(put_until_full(store, 3000, &count), -ENOSPC);
        expect_filling(store, count, 3000);
        ck_assert_uint_eq(stats_of(store).max_memory, 24 * MIB);
        ck_assert_uint_le(stats_of(store).memory, 24 * MIB);
        ck_assert_int_eq(memstore_delete(store, "fill-0", 6), 0);
        memstore_close(store);
        harness_kill(daemon);
    }
}
END_TEST

static bool is_asleep(void *argument)
{
    const struct harness_daemon *daemon = argument;
    uint64_t before = harness_cpu(daemon->pid);

    poll(NULL, 0, 50);
    return harness_cpu(daemon->pid) == before;
}

/* It looks for readers that died where memory is short: once, also before one has ever gone. */
START_TEST(full_store_lets_the_daemon_sleep)
{
    struct harness_daemon *daemon = harness_start("--max-size", "none", "--max-memory", "24M");
    struct memstore *store = harness_open_reads(daemon, MEMSTORE_READS_SOCKET);
    int count;

    harness_put(store, "fill-0", "replaced");
    ck_assert_int_eq(put_until_full(store, 100000, &count), -ENOSPC);
    harness_await(is_asleep, daemon, "a daemon that sleeps while its store is full");
    memstore_close(store);
}
END_TEST

/* A mount namespace of the test's own, where it may mount; false, and said so, if there is none. */
static bool may_mount(const char *test)
{
    bool root = geteuid() == 0;
    char map[32];
    int uid = (int)getuid();

    if (unshare(CLONE_NEWNS | (root ? 0 : CLONE_NEWUSER)) < 0)
        goto fail;
    if (!root) {
        snprintf(map, sizeof(map), "0 %d 1", uid);
        write_file("/proc/self/uid_map", map, strlen(map));
    }
    if (mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0)
        return true;
fail:
    harness_skip(test, "no mount namespace can be had here");
    return false;
}

static void mount_tmpfs(const char *path, const char *options)
{
    ck_assert_msg(mount("tmpfs", path, "tmpfs", MS_NOSUID | MS_NODEV, options) == 0, "%s: %s", path,
                  strerror(errno));
}

/* Takes all that is left of a tmpfs. */
static void fill_tmpfs(const char *path)
{
    char *bytes = calloc(1, MIB);
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

    ck_assert_int_ge(fd, 0);
    for (size_t size = MIB; size >= 1; size /= 2) {
        while (write(fd, bytes, size) == (ssize_t)size)
            ;
    }
    close(fd);
    free(bytes);
}

START_TEST(full_tmpfs_is_an_error_and_no_death)
{
    size_t size = filling_sizes[_i];
    struct harness_daemon *daemon;
    struct memstore *store;
    int count;

    if (!may_mount("full_tmpfs_is_an_error_and_no_death"))
        return;
    ck_assert_int_eq(mkdir(path_of("small"), 0700), 0);
    mount_tmpfs(path_of("small"), "size=24m,mode=0700");
    daemon =
        harness_start("--data", path_of("small/data"), "--max-size", "none", "--max-memory", "22M");
    store = harness_open(daemon);
    for (int round = 0; round < 3; round++) {
        harness_put(store, "before", "it is full");
        fill_tmpfs(path_of("small/junk"));
        ck_assert_int_eq(put_until_full(store, size, &count), -ENOSPC);
        harness_expect(store, "before", "it is full");
        expect_filling(store, count, size);
        delete_filling(store, count);
        ck_assert_int_eq(memstore_delete(store, "before", 6), 0);
        ck_assert_uint_eq(stats_of(store).used, 0);
        unlink(path_of("small/junk"));
        ck_assert_int_eq(put_until_full(store, size, &count), -ENOSPC);
        ck_assert_uint_gt((size_t)count * size, MIB);
        expect_filling(store, count, size);
        delete_filling(store, count);
    }
    memstore_close(store);
    ck_assert_msg(harness_stop(daemon) == 0, "%s", harness_log(daemon));
    umount(path_of("small"));
}
END_TEST

START_TEST(store_on_a_full_tmpfs_is_found_again)
{
    struct harness_daemon *daemon;
    struct memstore *store;
    int count;

    if (!may_mount("store_on_a_full_tmpfs_is_found_again"))
        return;
    ck_assert_int_eq(mkdir(path_of("small"), 0700), 0);
    mount_tmpfs(path_of("small"), "size=24m,mode=0700");
    for (int round = 0; round < 3; round++) {
        daemon = harness_start("--data", path_of("small/data"), "--max-size", "none",
                               "--max-memory", "22M");
        store = harness_open_reads(daemon, MEMSTORE_READS_SOCKET);
        ck_assert_int_eq(put_until_full(store, 20000, &count), -ENOSPC);
        fill_tmpfs(path_of("small/junk"));
        memstore_close(store);
        harness_kill(daemon);
        daemon = harness_start("--data", path_of("small/data"), "--max-size", "none",
                               "--max-memory", "22M");
        store = harness_open_reads(daemon, MEMSTORE_READS_SOCKET);
        expect_filling(store, count, 20000);
        delete_filling(store, count);
        ck_assert_uint_eq(stats_of(store).used, 0);
        unlink(path_of("small/junk"));
        memstore_close(store);
        harness_kill(daemon);
    }
    umount(path_of("small"));
}
END_TEST

START_TEST(tmpfs_smaller_than_max_memory_is_refused)
{
    if (!may_mount("tmpfs_smaller_than_max_memory_is_refused"))
        return;
    ck_assert_int_eq(mkdir(path_of("small"), 0700), 0);
    mount_tmpfs(path_of("small"), "size=24m,mode=0700");
    expect_refused(path_of("small/data"), "max memory", "--data", path_of("small/data"),
                   "--max-memory", "64M");
    expect_refused(path_of("small/data"), "max memory", "--data", path_of("small/data"),
                   "--max-size", "64M");
    umount(path_of("small"));
    mount_tmpfs(path_of("small"), "size=64k,mode=0700");
    expect_refused(path_of("small/data"), "room", "--data", path_of("small/data"));
    umount(path_of("small"));
}
END_TEST

/* The folder of a test is under /dev/shm, which is about to be another one. */
static void mount_container(const char *shm_size, const char *run_size)
{
    mount_tmpfs("/dev/shm", shm_size);
    ck_assert_int_eq(mkdir(harness_folder, 0700), 0);
    mount_tmpfs("/run", run_size);
    unsetenv("XDG_RUNTIME_DIR");
}

/* Serves, fills up, empties, fills again: with whatever limits it chose. */
static void expect_all_of_it_usable(struct harness_daemon *daemon)
{
    struct memstore *store = harness_open(daemon);
    struct memstore_stats stats = stats_of(store);

    ck_assert_uint_ge(stats.max_size, 4 * MIB);
    ck_assert_uint_ge(stats.max_memory, stats.max_size);
    ck_assert_msg(strstr(harness_log(daemon), "max size"), "%s", harness_log(daemon));
    for (int round = 0; round < 3; round++) {
        int count;

        ck_assert_int_eq(put_until_full(store, 100000, &count), -EDQUOT);
        ck_assert_uint_eq((uint64_t)count, stats.max_size / 100000);
        expect_filling(store, count, 100000);
        delete_filling(store, count);
    }
    memstore_close(store);
    ck_assert_msg(harness_stop(daemon) == 0, "%s", harness_log(daemon));
}

START_TEST(small_container_needs_no_options)
{
    if (!may_mount("small_container_needs_no_options"))
        return;
    mount_container("size=64m,mode=1777", "size=1m,mode=0755");
    setenv("HOME", "/", 1);
    for (int round = 0; round < 2; round++) {
        struct harness_daemon *daemon = harness_start_bare("/run/memstore/socket", NULL);

        ck_assert_msg(strstr(harness_log(daemon), "/dev/shm/memstore-"), "%s", harness_log(daemon));
        expect_all_of_it_usable(daemon);
    }
}
END_TEST

START_TEST(data_is_beside_the_socket_where_there_is_room)
{
    struct harness_daemon *daemon;

    if (!may_mount("data_is_beside_the_socket_where_there_is_room"))
        return;
    mount_container("size=64m,mode=1777", "size=512m,mode=0755");
    daemon = harness_start_bare("/run/memstore/socket", "--max-size", "64M");
    ck_assert_msg(strstr(harness_log(daemon), "/run/memstore/"), "%s", harness_log(daemon));
    ck_assert(!strstr(harness_log(daemon), "/dev/shm/"));
    ck_assert_uint_eq(mode_of("/run/memstore"), 0700);
    expect_all_of_it_usable(daemon);
}
END_TEST

/* After a crash the same command finds the same folder, wherever that was chosen to be. */
START_TEST(chosen_folder_is_chosen_again)
{
    struct harness_daemon *daemon;
    struct memstore *store;

    if (!may_mount("chosen_folder_is_chosen_again"))
        return;
    mount_container("size=64m,mode=1777", "size=1m,mode=0755");
    daemon = harness_start_bare("/run/memstore/socket", NULL);
    store = harness_open(daemon);
    harness_put(store, "k", "v");
    memstore_close(store);
    harness_kill(daemon);
    store = harness_open(harness_start_bare("/run/memstore/socket", NULL));
    harness_expect(store, "k", "v");
    memstore_close(store);
}
END_TEST

static void add_option_tests(TCase *tests)
{
    tcase_add_test(tests, version_and_help_are_printed);
    tcase_add_loop_test(tests, options_that_do_not_parse_are_refused, 0,
                        sizeof(wrong_options) / sizeof(wrong_options[0]));
    tcase_add_loop_test(tests, variables_that_do_not_parse_are_refused, 0, 6);
    tcase_add_loop_test(tests, what_is_no_option_is_refused, 0, 6);
    tcase_add_test(tests, variables_are_as_good_as_options);
    tcase_add_test(tests, options_go_before_variables);
    tcase_add_loop_test(tests, sizes_have_units, 0, 7);
    tcase_add_test(tests, max_memory_follows_max_size);
    tcase_add_test(tests, start_line_says_what_was_chosen);
}

static void add_place_tests(TCase *tests)
{
    tcase_add_test(tests, second_daemon_on_a_socket_is_refused);
    tcase_add_test(tests, second_daemon_on_a_data_folder_is_refused);
    tcase_add_loop_test(tests, live_socket_of_another_program_is_left_alone, 0, 2);
    tcase_add_test(tests, file_at_the_sockets_place_is_left_alone);
    tcase_add_test(tests, dead_socket_is_replaced);
    tcase_add_test(tests, socket_path_too_long_is_refused);
    tcase_add_test(tests, socket_is_for_its_owner_unless_asked_otherwise);
    tcase_add_test(tests, folder_of_the_socket_is_made);
    tcase_add_test(tests, one_daemon_wins_a_race);
    tcase_add_test(tests, data_folder_is_private_and_goes);
    tcase_add_test(tests, folders_made_without_a_umask_are_private_too);
    tcase_add_test(tests, files_of_others_stay);
    tcase_add_test(tests, folders_that_cannot_be_used_are_refused);
    tcase_add_loop_test(tests, kept_store_is_found_again, 0, 2);
    tcase_add_test(tests, kept_store_over_a_smaller_limit_can_shrink);
    tcase_add_test(tests, damaged_store_is_refused_and_left_alone);
    tcase_add_test(tests, disk_is_refused_unless_allowed);
}

static Suite *suite(void)
{
    Suite *s = suite_create("daemon");
    TCase *options = tcase_create("options");
    TCase *places = tcase_create("places");
    TCase *systemd = tcase_create("systemd");
    TCase *memory = tcase_create("memory");
    TCase *all[] = {options, places, systemd, memory};

    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        tcase_add_checked_fixture(all[i], setup, harness_teardown);
        suite_add_tcase(s, all[i]);
    }
    add_option_tests(options);
    add_place_tests(places);
    tcase_add_test(systemd, systemd_is_told);
    tcase_add_test(systemd, watchdog_of_another_process_is_not_ours);
    tcase_add_test(systemd, socket_of_systemd_is_served_and_left);
    tcase_add_test(systemd, what_is_no_listening_socket_is_refused);
    tcase_add_test(systemd, stop_under_load_is_orderly);
    tcase_add_loop_test(memory, max_memory_is_a_limit, 0, FILLING_SIZES);
    tcase_add_test(memory, full_store_is_still_of_use);
    tcase_add_test(memory, full_store_lets_the_daemon_sleep);
    tcase_add_test(memory, max_memory_stays_the_limit_through_restarts);
    tcase_add_test(memory, store_on_a_full_tmpfs_is_found_again);
    tcase_add_loop_test(memory, full_tmpfs_is_an_error_and_no_death, 0, FILLING_SIZES);
    tcase_add_test(memory, tmpfs_smaller_than_max_memory_is_refused);
    tcase_add_test(memory, small_container_needs_no_options);
    tcase_add_test(memory, data_is_beside_the_socket_where_there_is_room);
    tcase_add_test(memory, chosen_folder_is_chosen_again);
    return s;
}

int main(void)
{
    return harness_main(suite());
}
