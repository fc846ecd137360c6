/*
 * What the tests share: a folder of their own, a real daemon in it, processes that end.
 *
 * Every Check test runs in a process of its own (CK_FORK). harness_setup makes a fresh folder under
 * /dev/shm and harness_teardown stops what was started, by process id, and removes it; use both
 * as the checked fixture of a test case.
 */
#ifndef MEMSTORE_HARNESS_H
#define MEMSTORE_HARNESS_H

#include "client/memstore.h"

#include <check.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* A running daemon. */
struct harness_daemon {
    pid_t pid;
    char socket[108]; /* FOLDER/socket unless the arguments say otherwise */
    char log[256];    /* the file that takes its stderr */
};

/* The test's own folder, without a trailing slash, and the folder of the built programs. */
extern char harness_folder[64];
const char *harness_build(void); /* $BUILD or "build" */

void harness_setup(void);
void harness_teardown(void);

/* Arguments of a daemon; a NULL at their end is allowed. */
#define HARNESS_LIST(...) ((const char *const[]){__VA_ARGS__, NULL})

/*
 * Starts memstored with `--socket FOLDER/socket --data FOLDER/data` and the arguments given (NULL
 * ends them; a later option replaces an earlier one) and waits until it says READY through
 * NOTIFY_SOCKET. Fails the test, with the daemon's log, if it ends or is not ready in 10 s.
 */
#define harness_start(...) harness_start_list(HARNESS_LIST(__VA_ARGS__))
struct harness_daemon *harness_start_list(const char *const *more);

/* Starts memstored the same way and expects it to refuse. Waits for its end; returns the exit
 * status; *ret_log is what it wrote to stderr (malloc'd). */
#define harness_refused(ret_log, ...) harness_refused_list(ret_log, HARNESS_LIST(__VA_ARGS__))
int harness_refused_list(char **ret_log, const char *const *more);

/* As harness_start, with the arguments given and none of the harness's own; socket says where the
 * daemon will be found. */
#define harness_start_bare(socket, ...) harness_start_bare_list(socket, HARNESS_LIST(__VA_ARGS__))
struct harness_daemon *harness_start_bare_list(const char *socket, const char *const *more);

/* As harness_start, for one more daemon beside the first: FOLDER/NAME.socket and FOLDER/NAME.data.
 */
#define harness_start_apart(name, ...) harness_start_apart_list(name, HARNESS_LIST(__VA_ARGS__))
struct harness_daemon *harness_start_apart_list(const char *name, const char *const *more);

/* The next daemon that is started gets this listening socket as systemd would pass it. */
void harness_activate(int fd);

/* Waits until the daemon sends a notification that contains the line; fails the test after 10 s. */
void harness_await_notification(const struct harness_daemon *daemon, const char *line);

/* What the daemon has written to stderr so far; it lives until the next call. */
const char *harness_log(const struct harness_daemon *daemon);

/* SIGTERM and wait; the exit status (0 is an orderly stop). */
int harness_stop(struct harness_daemon *daemon);
/* kill -9 and wait. */
void harness_kill(struct harness_daemon *daemon);

/* A handle on the daemon's store; fails the test if it cannot be had. harness_open leaves it to
 * $MEMSTORE_READS and $MEMSTORE_CALLS how it reads and calls; one that reads over the socket does
 * all over the socket. */
struct memstore *harness_open(const struct harness_daemon *daemon);
struct memstore *harness_open_reads(const struct harness_daemon *daemon, enum memstore_reads reads);
/* As harness_open, on that bucket, which is there. */
struct memstore *harness_open_bucket(const struct harness_daemon *daemon, const char *bucket);

/* Whether $MEMSTORE_CALLS keeps the handles of this run from making rings. */
bool harness_calls_by_socket(void);

/* From here on handles of this test may ask the daemon where they cannot read directly, also in a
 * run that insists on direct reads. */
void harness_may_ask(void);

/* The store's stats, and who holds what in it (end with free()). Fail the test if they can't. */
struct memstore_stats harness_stats(struct memstore *store);
struct memstore_holder *harness_holders(struct memstore *store, size_t *ret_count);

/* A raw connected stream socket, for tests of the protocol. */
int harness_connect(const struct harness_daemon *daemon);

/* Forks a process that calls run(index, argument) and exits with what it returns. It dies with the
 * test; the test has to wait for it. */
pid_t harness_fork(int (*run)(int index, void *argument), int index, void *argument);

/* Forks `count` processes that call run(index, argument) and exit with what it returns; waits for
 * all (deadline 60 s, then kill and fail) and fails the test unless each returned 0. */
void harness_processes(int count, int (*run)(int index, void *argument), void *argument);

/* Runs a shell command with the build folder first in PATH and MEMSTORE_SOCKET set to the daemon's
 * (NULL: unset). Returns its exit status; *ret_output (may be NULL): stdout and stderr, malloc'd.
 */
int harness_shell(const struct harness_daemon *daemon, char **ret_output, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Calls condition(argument) until it is true; fails the test after 10 s. */
void harness_await(bool (*condition)(void *argument), void *argument, const char *what);

/* Short forms for text keys and values. */
void harness_put(struct memstore *store, const char *key, const char *value);
void harness_expect(struct memstore *store, const char *key, const char *value);

/* Values of any size: the bytes of harness_fill. */
void harness_put_filled(struct memstore *store, const char *key, size_t size, uint64_t seed);
bool harness_is_filled(const void *bytes, size_t size, uint64_t seed);

/* A view of an object, which fails the test if there is none. */
struct memstore_view *harness_view(struct memstore *store, const char *key);
/* Whether a view shows these bytes. */
bool harness_view_shows(const struct memstore_view *view, size_t size, uint64_t seed);

/* A whole file as text, malloc'd; "" if it cannot be read. */
char *harness_read_file(const char *path);

/* Milliseconds of a clock that only goes forward. */
int64_t harness_now(void);
/* The same in nanoseconds. */
int64_t harness_nanoseconds(void);
/* Nanoseconds for which a process's first thread has run. */
uint64_t harness_cpu(pid_t pid);
/* A time limit, made longer where a sanitizer or valgrind slows everything. */
double harness_seconds(double seconds);
/* Is there such a sanitizer or valgrind? Their memory is not the daemon's. */
bool harness_is_slow(void);

/* Says on stderr, where tests/run shows it, that a test could not run here. The test then returns.
 */
void harness_skip(const char *test, const char *why);

/* Fills a buffer with bytes that depend on the seed. */
void harness_fill(void *buffer, size_t size, uint64_t seed);

/* Runs the suite as a program and removes what failed tests left: the exit status of main. */
int harness_main(Suite *suite);

#endif
