/*
 * A scratch store for test workers.
 *
 * A test runner starts several workers. Each needs a corner of its own, which nobody else touches
 * and which is gone with the worker, however it ends; and all share one room: a fixture that is
 * expensive and made once, and a tally.
 *
 *     scratch [WORKERS]      4 workers by default; the first one is killed in the middle
 *
 * Needs a running memstored. Build: cc scratch.c $(pkg-config --cflags --libs libmemstore)
 */
#include <memstore.h>

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define ROOM "scratch-room" /* the bucket that all share */
#define PATIENCE 10000      /* milliseconds to wait for others */
#define CASES 100           /* test cases of a worker */

/* Ends the program if a call failed, with the library's words. */
static int must(int result, const char *what)
{
    if (result >= 0)
        return result;
    fprintf(stderr, "%s: %s\n", what,
            *memstore_message() ? memstore_message() : memstore_strerror(result));
    exit(1);
}

static struct memstore *open_bucket(const char *bucket)
{
    struct memstore_options options = {.size = sizeof(options), .bucket = bucket};
    struct memstore *store;

    must(memstore_open(&options, &store), "open");
    return store;
}

/* Makes what all workers need, once; what is written becomes the value. */
static int make_fixture(struct memstore_writer *writer, void *context)
{
    char row[64];

    fprintf(stderr, "worker %d makes the fixture\n", *(int *)context);
    for (int i = 0; i < 1000; i++) {
        int length = snprintf(row, sizeof(row), "%d;user %d\n", i, i);
        int error = memstore_writer_write(writer, row, (size_t)length);

        if (error)
            return error;
    }
    return 0;
}

/* Whoever comes first makes it; if that one dies, the next does. */
static size_t fixture_size(struct memstore *room, int number)
{
    struct memstore_object *fixture;
    size_t size;

    must(memstore_once(room, "fixture", 7, make_fixture, &number, NULL, PATIENCE, &fixture),
         "once");
    memstore_object_value(fixture, &size);
    memstore_object_free(fixture);
    return size;
}

/* All tests of a worker. It leaves its things behind: its bucket is ephemeral. */
static void run_cases(struct memstore *corner, struct memstore *room)
{
    char key[32], value[32];

    for (int i = 0; i < CASES; i++) {
        int length = snprintf(key, sizeof(key), "case/%d", i);
        int size = snprintf(value, sizeof(value), "result of %d", i);

        must(memstore_put(corner, key, (size_t)length, value, (size_t)size, NULL, NULL), "put");
        must(memstore_add(room, "done", 4, 1, NULL), "add");
    }
}

static int work(int number, int is_doomed)
{
    struct memstore_bucket_options mine = {
        .size = sizeof(mine), .ephemeral = 1, .has_max_size = 1, .max_size = 1 << 20};
    struct memstore *room = open_bucket(ROOM);
    struct memstore *corner;
    char name[32];

    /* The handle that makes an ephemeral bucket owns it. */
    snprintf(name, sizeof(name), "worker-%d", number);
    must(memstore_bucket_create(room, name, &mine), "bucket_create");
    corner = open_bucket(name);

    if (fixture_size(room, number) == 0)
        return 1;
    run_cases(corner, room);
    if (is_doomed)
        raise(SIGKILL); /* as a crashing test would end it */

    memstore_close(corner);
    memstore_close(room); /* its bucket goes here */
    return 0;
}

static void start_workers(struct memstore *store, int workers)
{
    for (int i = 0; i < workers; i++) {
        pid_t worker = fork();

        if (worker == 0) {
            memstore_close(store); /* a copy of the parent's, which keeps its own */
            exit(work(i, i == 0));
        }
        if (worker < 0) {
            perror("fork");
            exit(1);
        }
    }
}

static int collect_workers(void)
{
    int status, killed = 0;

    while (wait(&status) > 0) {
        if (WIFSIGNALED(status))
            killed++;
        else if (WEXITSTATUS(status) != 0)
            exit(1);
    }
    return killed;
}

/* Waits until the corners of all workers are gone: those of the dead go by themselves. */
static int wait_for_corners(struct memstore *store, int workers)
{
    struct memstore_bucket_info info;
    char name[32];
    int left = 0;

    for (int i = 0; i < workers; i++) {
        snprintf(name, sizeof(name), "worker-%d", i);
        for (int tries = 0; tries < 1000; tries++) {
            if (memstore_bucket_info(store, name, &info, sizeof(info)) == -ENOENT)
                break;
            usleep(1000);
            left += tries == 999;
        }
    }
    return left;
}

int main(int argc, char **argv)
{
    struct memstore_bucket_options for_all = {.size = sizeof(for_all)};
    int workers = argc > 1 ? atoi(argv[1]) : 4;
    struct memstore *store = open_bucket(NULL);
    struct memstore *room;
    int64_t done;
    int killed;

    must(memstore_bucket_create(store, ROOM, &for_all), "bucket_create");
    start_workers(store, workers);
    killed = collect_workers();

    room = open_bucket(ROOM);
    must(memstore_add(room, "done", 4, 0, &done), "add");
    memstore_close(room);
    printf("%d workers, %d killed, %lld cases, %d corners left\n", workers, killed, (long long)done,
           wait_for_corners(store, workers));
    must(memstore_bucket_drop(store, ROOM), "bucket_drop");
    memstore_close(store);
    return 0;
}
