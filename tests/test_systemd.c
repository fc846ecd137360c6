/* The units, as systemd itself judges them. */
#include "tests/harness.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* The most that `systemd-analyze security` may find exposed, in tenths. */
#define EXPOSURE_MAX "15"

/* The units with an ExecStart that exists, and a folder that passes for XDG_RUNTIME_DIR. */
static void setup(void)
{
    int status;

    harness_setup();
    status = harness_shell(
        NULL, NULL,
        "set -e; mkdir %s/system %s/user %s/runtime\n"
        "program=$(realpath %s/memstored)\n"
        "for unit in memstored.service memstored.socket; do\n"
        "    sed \"s,@BINDIR@/memstored,$program,\" systemd/$unit > %s/system/$unit\n"
        "    sed \"s,@BINDIR@/memstored,$program,\" systemd/user/$unit > %s/user/$unit\n"
        "done",
        harness_folder, harness_folder, harness_folder, harness_build(), harness_folder,
        harness_folder);
    ck_assert_int_eq(status, 0);
}

/* Whether this machine has the tool; says so if not. */
static bool has(const char *tool, const char *test)
{
    if (harness_shell(NULL, NULL, "command -v %s", tool) == 0)
        return true;
    harness_skip(test, "systemd's tools are not installed");
    return false;
}

/* Runs a tool that must find nothing to say. */
static void expect_silence(const char *command)
{
    char *output;
    int status = harness_shell(NULL, &output, "cd %s && XDG_RUNTIME_DIR=$PWD/runtime %s",
                               harness_folder, command);

    ck_assert_msg(status == 0 && !*output, "%s: exit status %d:\n%s", command, status, output);
    free(output);
}

START_TEST(system_units_verify)
{
    if (has("systemd-analyze", "system_units_verify"))
        expect_silence("systemd-analyze verify --man=no system/memstored.service "
                       "system/memstored.socket");
}
END_TEST

START_TEST(user_units_verify)
{
    if (has("systemd-analyze", "user_units_verify"))
        expect_silence("systemd-analyze verify --user --man=no user/memstored.service "
                       "user/memstored.socket");
}
END_TEST

START_TEST(service_is_confined)
{
    char *output;
    int status;

    if (!has("systemd-analyze", "service_is_confined"))
        return;
    status = harness_shell(NULL, &output,
                           "cd %s/system && systemd-analyze security --no-pager --offline=true "
                           "--threshold=" EXPOSURE_MAX " memstored.service",
                           harness_folder);
    if (status != 0)
        fprintf(stderr, "%s\n", output); /* too long for Check */
    ck_assert_int_eq(status, 0);
    free(output);
}
END_TEST

START_TEST(user_is_made)
{
    char *output;
    int status;

    if (!has("systemd-sysusers", "user_is_made"))
        return;
    status = harness_shell(NULL, &output,
                           "mkdir -p %s/root/etc && systemd-sysusers --root=%s/root "
                           "$PWD/systemd/memstore.sysusers.conf && "
                           "grep -c ^memstore: %s/root/etc/passwd %s/root/etc/group",
                           harness_folder, harness_folder, harness_folder, harness_folder);
    ck_assert_msg(status == 0, "exit status %d:\n%s", status, output);
    free(output);
}
END_TEST

/* A listening socket, as systemd makes it. */
static int listen_at(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    ck_assert_int_eq(listen(fd, 16), 0);
    return fd;
}

/* `systemctl restart`: the socket is systemd's and stays, and so do the data. */
START_TEST(objects_and_clients_survive_a_restart)
{
    struct memstore *store;
    struct harness_daemon *daemon;
    char path[108], lock[128];
    int fd, waiting;

    snprintf(path, sizeof(path), "%s/socket", harness_folder);
    snprintf(lock, sizeof(lock), "%s.lock", path);
    fd = listen_at(path);
    harness_activate(fd);
    daemon = harness_start("--keep");
    store = harness_open(daemon);
    harness_put(store, "key", "value");
    /* The socket's folder is not the service's: it can write nothing there. */
    ck_assert_int_ne(access(lock, F_OK), 0);
    ck_assert_int_eq(harness_stop(daemon), 0);
    ck_assert_int_eq(access(path, F_OK), 0);

    waiting = harness_connect(daemon);
    harness_activate(fd);
    daemon = harness_start("--keep");
    harness_expect(store, "key", "value");
    memstore_close(store);
    close(waiting);
    ck_assert_int_eq(harness_stop(daemon), 0);
    close(fd);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("systemd");
    TCase *units = tcase_create("units");

    tcase_add_checked_fixture(units, setup, harness_teardown);
    tcase_add_test(units, system_units_verify);
    tcase_add_test(units, user_units_verify);
    tcase_add_test(units, service_is_confined);
    tcase_add_test(units, user_is_made);
    tcase_add_test(units, objects_and_clients_survive_a_restart);
    suite_add_tcase(suite, units);
    return harness_main(suite);
}
