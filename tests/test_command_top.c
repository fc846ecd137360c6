/* memstore top: on a terminal, and elsewhere. */
#include "tests/harness.h"
#include "tests/shell.h"
#include "tests/terminal.h"

#include <check.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static struct terminal terminal;

static void setup(void)
{
    harness_setup();
    the_daemon = harness_start("--max-size", "64M");
}

/* Its signal would keep the other tests from having a terminal that ends. */
static void teardown(void)
{
    if (terminal.pid > 0)
        kill(terminal.pid, SIGKILL);
    harness_teardown();
}

static void start(int width, int height, const char *options)
{
    char command[512];

    snprintf(command, sizeof(command), "exec %s/memstore -s %s top --interval 0.1 %s",
             harness_build(), the_daemon->socket, options);
    terminal_start(&terminal, width, height, command);
    terminal_await(&terminal, width < 80 ? "BUCKET" : "HIT %");
}

static void quit(void)
{
    int status;

    terminal_type(&terminal, "q");
    status = terminal_finish(&terminal);
    terminal.pid = 0;
    ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

/* ---- the screen ---- */

START_TEST(it_shows_the_store)
{
    char text[64];

    expect(0, "",
           "memstore bucket create --max-size 5M --policy lru cache; "
           "head -c 2048 /dev/zero | memstore put -b cache k");
    start(80, 24, "");
    snprintf(text, sizeof(text), "memstored %d, up 0d 00:00:", (int)the_daemon->pid);
    terminal_await(&terminal, text);
    terminal_await(&terminal, "2 buckets");
    terminal_await(&terminal, "values 2 KiB of 64 MiB in 1 objects");
    terminal_await(&terminal, "cache            2 KiB     5 MiB        1");
    terminal_await_line(&terminal, 23, "q quit");
    /* it goes on */
    expect(0, "", "head -c 1024 /dev/zero | memstore put -b cache l");
    terminal_await(&terminal, "cache            3 KiB     5 MiB        2");
    quit();
}
END_TEST

START_TEST(it_shows_rates)
{
    struct memstore *store = harness_open(the_daemon);
    pid_t writer;

    start(120, 24, "");
    writer = fork();
    ck_assert_int_ge(writer, 0);
    if (writer == 0) {
        memstore_close(store);
        store = harness_open(the_daemon);
        for (;;) {
            memstore_put(store, "k", 1, "v", 1, NULL, NULL);
            memstore_exists(store, "k", 1);
            usleep(1000);
        }
    }
    terminal_await(&terminal, "100.0");
    terminal_await_gone(&terminal, "commits/s 0");
    kill(writer, SIGKILL);
    waitpid(writer, NULL, 0);
    terminal_await(&terminal, "commits/s 0");
    memstore_close(store);
    quit();
}
END_TEST

START_TEST(it_shows_who_waits)
{
    start(80, 24, "");
    expect(0, "",
           "memstore lock l -- sleep 60 > /dev/null 2>&1 & echo $! > pid1; "
           "memstore watch > /dev/null 2>&1 & echo $! > pid2; "
           "memstore wait k > /dev/null 2>&1 & echo $! > pid3");
    terminal_await(&terminal, "waiting 1   watching 1   locks 1");
    expect(0, "", "kill $(cat pid1 pid2 pid3)");
    terminal_await(&terminal, "waiting 0   watching 0   locks 0");
    quit();
}
END_TEST

START_TEST(it_shows_who_holds)
{
    struct memstore *store = harness_open(the_daemon);
    struct memstore_view *view;
    char line[64];

    harness_put_filled(store, "k", 100000, 1);
    view = harness_view(store, "k");
    if (memstore_view_is_direct(view)) {
        start(80, 24, "");
        snprintf(line, sizeof(line), "%8d %8u %8d %9s", (int)getpid(), (unsigned)geteuid(), 1,
                 "97.66 KiB");
        terminal_await(&terminal, line);
        memstore_view_release(view);
        terminal_await(&terminal, "views 0 pin 0 B");
        quit();
    } else {
        memstore_view_release(view);
    }
    memstore_close(store);
}
END_TEST

START_TEST(it_is_sorted_as_one_likes)
{
    expect(0, "",
           "for b in x y; do memstore bucket create $b; done; "
           "printf 123 | memstore put -b y k; printf 12 | memstore put k");
    start(80, 24, "--sort name");
    terminal_await_line(&terminal, 6, "default ");
    terminal_await_line(&terminal, 8, "y ");
    terminal_type(&terminal, "s");
    terminal_await_line(&terminal, 6, "y ");
    terminal_await_line(&terminal, 7, "default ");
    terminal_await_line(&terminal, 8, "x ");
    expect(0, "", "printf 1234 | memstore put k");
    terminal_await_line(&terminal, 6, "default ");
    terminal_type(&terminal, "n");
    terminal_await_line(&terminal, 7, "x ");
    terminal_await_line(&terminal, 8, "y ");
    quit();
}
END_TEST

START_TEST(it_scrolls)
{
    expect(0, "", "for i in $(seq 100 140); do memstore bucket create b$i; done");
    start(80, 24, "--sort name");
    terminal_await(&terminal, "b100");
    terminal_await_gone(&terminal, "b140");
    terminal_type(&terminal, "G");
    terminal_await(&terminal, "default");
    terminal_await_gone(&terminal, "b100");
    terminal_type(&terminal, "g");
    terminal_await(&terminal, "b100");
    terminal_type(&terminal, "j\033OB");
    terminal_await_gone(&terminal, "b101");
    terminal_await(&terminal, "b102");
    terminal_type(&terminal, "k\033OA");
    terminal_await(&terminal, "b100");
    terminal_type(&terminal, " ");
    terminal_await_gone(&terminal, "b111");
    terminal_type(&terminal, "b");
    terminal_await(&terminal, "b100");
    quit();
}
END_TEST

/* ---- the terminal ---- */

START_TEST(it_follows_the_size)
{
    start(80, 24, "--interval 1h"); /* and does not only draw the next time in the right size */
    terminal_await_gone(&terminal, "MAX OBJ");
    terminal_resize(&terminal, 120, 30);
    terminal_await(&terminal, "MAX OBJ");
    terminal_await_line(&terminal, 29, "q quit");
    terminal_resize(&terminal, 40, 10);
    terminal_await(&terminal, "PUT/S");
    terminal_await_line(&terminal, 9, "q quit");
    terminal_resize(&terminal, 10, 3);
    terminal_await(&terminal, "values");
    terminal_resize(&terminal, 1, 1);
    terminal_await(&terminal, "m");
    terminal_resize(&terminal, 80, 24);
    terminal_await(&terminal, "default");
    quit();
}
END_TEST

static void expect_end_by(int number)
{
    int status;

    start(80, 24, "");
    ck_assert_int_eq(kill(terminal.pid, number), 0);
    status = terminal_finish(&terminal);
    terminal.pid = 0;
    ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == number);
}

START_TEST(a_signal_leaves_the_terminal_as_it_was)
{
    int status;

    expect_end_by(SIGTERM);
    expect_end_by(SIGHUP);
    expect_end_by(SIGQUIT);
    start(80, 24, "");
    terminal_type(&terminal, "\003");
    status = terminal_finish(&terminal);
    terminal.pid = 0;
    ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGINT);
}
END_TEST

START_TEST(it_ends_with_its_terminal)
{
    int status;

    start(80, 24, "");
    close(terminal.fd);
    ck_assert_int_eq(waitpid(terminal.pid, &status, 0), terminal.pid);
    terminal.pid = 0;
}
END_TEST

START_TEST(a_terminal_that_is_none)
{
    char *output = output_of(5, "TERM=nonsense script -qec 'memstore top' /dev/null < /dev/null");

    ck_assert_msg(strstr(output, "use --once"), "%s", output);
    free(output);
    output = output_of(5, "TERM=dumb script -qec 'memstore top' /dev/null < /dev/null");
    ck_assert_msg(strstr(output, "use --once"), "%s", output);
    free(output);
    output = output_of(0, "TERM=dumb script -qec 'memstore top --once --interval 50ms' /dev/null "
                          "< /dev/null");
    ck_assert_msg(strstr(output, "MAX OBJ") && !strchr(output, '\033'), "%s", output);
    free(output);
}
END_TEST

START_TEST(a_daemon_that_goes_away_is_waited_for)
{
    char text[32];

    expect(0, "", "memstore bucket create still-there");
    start(80, 24, "");
    harness_kill(the_daemon);
    terminal_await(&terminal, "no answer: ");
    terminal_await(&terminal, "still-there");
    the_daemon = harness_start("--max-size", "64M");
    snprintf(text, sizeof(text), "memstored %d, up", (int)the_daemon->pid);
    terminal_await(&terminal, text);
    terminal_await_gone(&terminal, "no answer");
    quit();
}
END_TEST

START_TEST(a_daemon_that_sleeps_does_not_lock_the_keys)
{
    start(80, 24, "");
    kill(the_daemon->pid, SIGSTOP);
    terminal_await(&terminal, "no answer: ");
    quit();
    kill(the_daemon->pid, SIGCONT);
}
END_TEST

/* ---- elsewhere ---- */

START_TEST(it_prints_a_table_once)
{
    char *output =
        output_of(0, "memstore bucket create cache; printf 123 | memstore put -b cache k; "
                     "memstore top --interval 50ms");

    ck_assert_msg(strncmp(output, "memstored ", 10) == 0, "%s", output);
    ck_assert_msg(strstr(output, "\nBUCKET "), "%s", output);
    ck_assert_msg(strstr(output, "\ncache              3 B         -        1        - refuse"),
                  "%s", output);
    ck_assert_msg(!strchr(output, '\033') && !strstr(output, "q quit"), "%s", output);
    free(output);
}
END_TEST

START_TEST(it_prints_json)
{
    struct memstore *store = harness_open(the_daemon);
    json_t *top;
    const json_t *bucket;

    expect(0, "",
           "memstore bucket create --max-size 1M cache; "
           "printf 123 | memstore put -b cache k; memstore get -b cache k > out");
    top = json_of("memstore top --json --interval 50ms --sort name");
    ck_assert(json_is_real(json_object_get(top, "seconds")));
    ck_assert(json_is_real(json_object_get(top, "requests_per_s")));
    ck_assert(json_is_real(json_object_get(top, "commits_per_s")));
    ck_assert_int_eq(number_in(json_object_get(top, "stats"), "pid"), the_daemon->pid);
    ck_assert(json_is_array(json_object_get(top, "holders")));
    ck_assert_uint_eq(json_array_size(json_object_get(top, "buckets")), 2);
    bucket = json_array_get(json_object_get(top, "buckets"), 0);
    ck_assert_str_eq(text_in(bucket, "name"), "cache");
    ck_assert_int_eq(number_in(bucket, "used"), 3);
    ck_assert_int_eq(number_in(bucket, "puts"), 1);
    ck_assert_int_eq(number_in(bucket, "hits"), 1);
    ck_assert(json_real_value(json_object_get(bucket, "puts_per_s")) == 0);
    ck_assert(json_is_null(json_object_get(bucket, "hit_rate")));
    json_decref(top);
    memstore_close(store);
}
END_TEST

START_TEST(what_cannot_be)
{
    expect_error(2, "memstore top x", "'x'", "--help", NULL);
    expect_error(2, "memstore top --interval 0", "'0'", "--help", NULL);
    expect_error(2, "memstore top --interval 10ms", "'10ms'", NULL);
    expect_error(2, "memstore top --interval never", "'never'", NULL);
    expect_error(2, "memstore top --sort color", "'color'", NULL);
    expect_error(4, "memstore -s none top", "none", NULL);
    expect_error(4, "memstore -s none top --json", "none", NULL);
    expect(0, "", "MEMSTORE_BUCKET=none memstore top --interval 50ms > out");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("command_top");
    TCase *tcase = tcase_create("top");

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, it_shows_the_store);
    tcase_add_test(tcase, it_shows_rates);
    tcase_add_test(tcase, it_shows_who_waits);
    tcase_add_test(tcase, it_shows_who_holds);
    tcase_add_test(tcase, it_is_sorted_as_one_likes);
    tcase_add_test(tcase, it_scrolls);
    tcase_add_test(tcase, it_follows_the_size);
    tcase_add_test(tcase, a_signal_leaves_the_terminal_as_it_was);
    tcase_add_test(tcase, it_ends_with_its_terminal);
    tcase_add_test(tcase, a_terminal_that_is_none);
    tcase_add_test(tcase, a_daemon_that_goes_away_is_waited_for);
    tcase_add_test(tcase, a_daemon_that_sleeps_does_not_lock_the_keys);
    tcase_add_test(tcase, it_prints_a_table_once);
    tcase_add_test(tcase, it_prints_json);
    tcase_add_test(tcase, what_cannot_be);
    suite_add_tcase(suite, tcase);
    return harness_main(suite);
}
