/* Lifetimes, waiting, watching, locks and values made once, from a shell. */
#include "tests/harness.h"
#include "tests/shell.h"

#include <check.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void setup(void)
{
    harness_setup();
    the_daemon = harness_start("--max-size", "64M");
}

static void setup_alone(void)
{
    harness_setup();
    the_daemon = NULL;
}

/* What a command in the background needs first: a shell function that waits until as many wait or
 * watch in the daemon as it is told. */
#define AWAIT                                                                                  \
    "await() { until [ $(memstore stats --json | grep -c \"\\\"$1\\\": $2\\b\") = 1 ]; do :; " \
    "done; }; "

/* ---- lifetimes ---- */

START_TEST(a_lifetime_ends)
{
    expect(0, "", "printf x | memstore put --ttl 50ms k && memstore wait --gone k");
    expect(1, "", "memstore exists k");
    expect(0, "",
           "printf x | memstore put --ttl 1h k && memstore touch --ttl 1ms k && "
           "memstore wait --gone k");
}
END_TEST

START_TEST(a_lifetime_is_told)
{
    json_t *info;
    long long expires;

    expect(0, "0\n", "printf x | memstore put k && memstore info k | grep -c expires || true");
    expect(0, "1\n", "memstore touch --ttl 2h k && memstore info k | grep -c '^expires: 20'");
    info = json_of("memstore info --json k");
    expires = number_in(info, "expires_us") - number_in(info, "modified_us");
    ck_assert_int_gt(expires, 7199 * INT64_C(1000000));
    ck_assert_int_lt(expires, 7300 * INT64_C(1000000));
    json_decref(info);
    expect(0, "0\n", "memstore touch --ttl never k && memstore info k | grep -c expires || true");
    expect(0, "0\n",
           "memstore touch --ttl 1d k && memstore touch k && "
           "memstore info k | grep -c expires || true");
    expect(0, "3\n",
           "mkdir d && touch d/a d/b d/c && memstore put --recursive --ttl 1d d in/ && "
           "for k in a b c; do memstore info in/$k; done | grep -c expires");
    expect_error(1, "memstore touch --ttl 1s missing", "\"missing\"", NULL);
}
END_TEST

/* ---- wait ---- */

START_TEST(wait_until_there_is_one)
{
    expect(0, "1\n", "printf x | memstore put k && memstore wait k");
    expect(0, "2\n",
           AWAIT "memstore wait later > out & await waiting 1; "
                 "printf x | memstore put later; wait; cat out");
    expect(1, "", "memstore wait --timeout 10ms never");
    expect(0, "0\n",
           "memstore wait --changed --timeout 1 k --after 7 > out & wait; "
           "memstore rm k; memstore wait --after 1 k");
}
END_TEST

START_TEST(wait_until_it_is_gone)
{
    expect(0, "", "memstore wait --gone k");
    expect(0, "",
           AWAIT "printf x | memstore put k; memstore wait --gone k & await waiting 1; "
                 "memstore rm k && wait $!");
    expect(1, "", "printf x | memstore put k; memstore wait --gone --timeout 10ms k");
}
END_TEST

START_TEST(wait_until_it_changes)
{
    expect(0, "2\n",
           AWAIT "printf x | memstore put k; memstore wait --changed k > out & "
                 "await waiting 1; printf x | memstore put k; wait; cat out");
    expect(0, "2\n", "memstore wait --after 1 k");
    expect(1, "", "memstore wait --after 2 --timeout 10ms k");
    expect(0, "0\n",
           AWAIT "memstore wait --changed k > out & await waiting 1; memstore rm k; "
                 "wait; cat out");
    expect(1, "", "memstore wait --after 0 --timeout 10ms k");
}
END_TEST

START_TEST(wait_as_json)
{
    json_t *info;

    expect(0, "", "printf 123 | memstore put k");
    info = json_of("memstore wait --json k");
    ck_assert_str_eq(text_in(info, "key"), "k");
    ck_assert_int_eq(number_in(info, "version"), 1);
    json_decref(info);
    expect(0, "null\n", "memstore rm k; memstore wait --json --gone k");
}
END_TEST

/* ---- watch ---- */

START_TEST(watch_tells_what_happens)
{
    expect(0, "1\tput\ta/1\n3\tput\ta/2\n4\tdelete\ta/1\n",
           AWAIT "memstore watch -n 3 a/ > out & await watching 1; "
                 "for k in a/1 b/1 a/2; do printf x | memstore put $k; done; "
                 "memstore rm a/1; wait; cat out");
    expect(0, "4\tdelete\ta/1\n", "memstore watch --from 3 -n 1");
    expect(0, "", "memstore watch --from 3 -n 0");
    expect(1, "3\tput\ta/2\n4\tdelete\ta/1\n", "memstore watch --from 2 --timeout 50ms");
    expect(1, "", "memstore watch --timeout 10ms");
}
END_TEST

START_TEST(watch_tells_of_the_end_of_lifetimes)
{
    expect(0, "put\texpire\t",
           "printf x | memstore put --ttl 10ms k; memstore watch --from 0 -n 2 | cut -f 2 | "
           "tr '\\n' '\\t'");
}
END_TEST

START_TEST(watch_as_json)
{
    json_t *event;

    expect(0, "",
           "bad=$(printf '\\377'); printf x | memstore put \"$bad\"; memstore rm \"$bad\"; "
           "printf x | memstore put k");
    event = json_of("memstore watch --json --from 2 -n 1");
    ck_assert_int_eq(number_in(event, "version"), 3);
    ck_assert_str_eq(text_in(event, "kind"), "put");
    ck_assert_str_eq(text_in(event, "key"), "k");
    json_decref(event);
    event = json_of("memstore watch --json --from 1 -n 1");
    ck_assert_str_eq(text_in(event, "kind"), "delete");
    ck_assert_str_eq(text_in(event, "key_base64"), "/w==");
    json_decref(event);
}
END_TEST

START_TEST(a_gap_is_told)
{
    struct memstore *store = harness_open(the_daemon);
    json_t *event;

    for (int i = 0; i < 70000; i++)
        ck_assert_int_eq(memstore_put(store, "k", 1, "", 0, NULL, NULL), 0);
    memstore_close(store);
    expect(0, "gap\n", "memstore watch --from 1 -n 1 | cut -f 2");
    event = json_of("memstore watch --from 1 -n 1 --json");
    ck_assert_str_eq(text_in(event, "kind"), "gap");
    ck_assert_ptr_null(json_object_get(event, "key"));
    json_decref(event);
}
END_TEST

START_TEST(a_reader_of_a_watch_has_each_line_at_once)
{
    expect(0, "1\tput\tk\n",
           AWAIT "mkfifo pipe; memstore watch > pipe & { await watching 1; "
                 "printf x | memstore put k; head -n 1; kill $!; } < pipe");
}
END_TEST

START_TEST(they_go_on_with_the_next_daemon)
{
    expect(0, "",
           AWAIT "memstore wait later > waited 2>&1 & echo $! > pids; "
                 "memstore watch -n 2 > watched 2>&1 & echo $! >> pids; "
                 "await waiting 1; await watching 1");
    harness_stop(the_daemon);
    the_daemon = harness_start("--max-size", "64M");
    expect(0, "",
           AWAIT "await waiting 1; await watching 1; printf x | memstore put later; "
                 "for pid in $(cat pids); do while kill -0 $pid 2> /dev/null; do :; done; "
                 "done");
    expect(0, "gap\nput\n1\n", "cut -f 2 watched; wc -l < waited");
}
END_TEST

START_TEST(a_bucket_that_is_dropped_ends_them)
{
    expect(0, "1\n1\n1\n",
           AWAIT
           "memstore bucket create b; "
           "{ memstore -b b wait k 2> error1; echo $? > out1; } & "
           "{ memstore -b b watch 2> error2; echo $? > out2; } & "
           "await waiting 1; await watching 1; "
           "memstore -b b lock l -- sh -c 'touch begun; until [ -e end ]; do sleep 0.01; done' "
           "2> error4 & until [ -e begun ]; do :; done; "
           "{ memstore -b b lock l -- touch ran 2> error3; echo $? > out3; } & "
           "await waiting 2; memstore bucket drop b; "
           "until [ -s out1 ] && [ -s out2 ] && [ -s out3 ]; do :; done; "
           "touch end; wait; cat out1 out2 out3");
    expect(0, "3\n", "cat error1 error2 error3 | grep -c \"the bucket 'b' was dropped\"");
    expect(0, "1\n", "grep -c 'ran on without the lock' error4; [ ! -e ran ]");
}
END_TEST

/* ---- lock ---- */

START_TEST(a_lock_is_had_by_one)
{
    /* who is not alone in there finds the folder made already */
    expect(0, "8\n",
           "for i in 1 2 3 4 5 6 7 8; do "
           "memstore lock l -- sh -c 'mkdir in && sleep 0.01 && rmdir in && echo x' >> out & done; "
           "wait; wc -l < out");
}
END_TEST

START_TEST(a_lock_has_a_growing_token)
{
    expect(0, "",
           "a=$(memstore lock l -- sh -c 'echo $MEMSTORE_LOCK_TOKEN'); "
           "b=$(memstore lock l -- sh -c 'echo $MEMSTORE_LOCK_TOKEN'); [ $b -gt $a ]");
}
END_TEST

START_TEST(a_lock_that_others_have)
{
    expect_error(6,
                 AWAIT "memstore lock l -- sleep 60 & await locks 1; "
                       "memstore lock --timeout 20ms l -- echo never; status=$?; kill $!; "
                       "wait; exit $status",
                 "\"l\"", NULL);
}
END_TEST

START_TEST(a_lock_exits_as_its_command)
{
    expect(7, "", "memstore lock l -- sh -c 'exit 7'");
    expect(0, "a b -n\n", "memstore lock l -- echo 'a b' -n");
    expect(0, "typed\n", "echo typed | memstore lock l -- cat");
    expect(0, "-x\n", "memstore lock -- -n- -- echo -x");
    expect(137, "", "memstore lock l -- sh -c 'kill -9 $$'");
    expect_error(127, "memstore lock l -- /nonexistent/command", "/nonexistent/command",
                 "No such file", NULL);
    expect_error(126, "memstore lock l -- .", "Permission denied", NULL);
}
END_TEST

START_TEST(a_lock_ends_with_its_command)
{
    /* SIGTERM goes on to the command, whose end is ours */
    expect(0, "done\n143\n",
           AWAIT "memstore lock l -- sh -c 'trap \"echo done; kill -9 $$; exit\" TERM; "
                 "echo $$ > pid; while :; do sleep 0.01; done' & "
                 "until [ -s pid ]; do :; done; kill $!; wait $!; status=$?; "
                 "[ $status = 137 ] && status=143; echo $status; await locks 0");
    /* kill -9 of us frees the lock, and ends the command */
    expect(0, "next\n",
           AWAIT
           "memstore lock l -- sh -c 'echo $$ > pid2; exec sleep 60' & "
           "until [ -s pid2 ]; do :; done; kill -9 $!; wait $! 2> /dev/null; "
           "memstore lock l -- echo next; while kill -0 $(cat pid2) 2> /dev/null; do :; done");
}
END_TEST

START_TEST(a_lost_lock_is_told)
{
    char *output;

    expect(0, "",
           "{ memstore lock l -- sh -c 'touch begun; until [ -e end ]; do sleep 0.01; done'; "
           "echo $? >> out; } > out 2>&1 & until [ -e begun ]; do :; done");
    harness_kill(the_daemon);
    output = output_of(0, "touch end; until [ -s out ]; do :; done; "
                          "until tail -n 1 out | grep '^[0-9]*$'; do :; done; cat out");
    ck_assert_msg(strstr(output, "5\n") == output, "%s", output);
    ck_assert_msg(strstr(output, "sh ran on without the lock"), "%s", output);
    free(output);
}
END_TEST

/* ---- once ---- */

START_TEST(a_value_is_made_once)
{
    expect(0, "1\n",
           "for i in 1 2 3 4 5 6 7 8; do memstore once k -- "
           "sh -c 'echo x >> made; sleep 0.05; echo value' > out$i & done; wait; "
           "for i in 1 2 3 4 5 6 7 8; do [ $(cat out$i) = value ] || exit 1; done; wc -l < made");
    expect(0, "value\n", "memstore once k -- echo other; memstore get k > out; cmp out out1");
}
END_TEST

START_TEST(what_is_made_has_attributes)
{
    expect(
        0, "content-type: a/b\nmetadata.x: y\n",
        "memstore once -t a/b -m x=y --ttl 1h k -- true && memstore info k | grep expires > out; "
        "[ -s out ] && memstore info k | tail -n 2");
    expect(0, "", "memstore once big -- head -c 3000000 /dev/zero | cmp -n 3000000 - /dev/zero");
}
END_TEST

START_TEST(a_value_that_cannot_be_made)
{
    expect(3, "half", "memstore once k -- sh -c 'printf half >&2; echo x; exit 3'");
    expect(143, "", "memstore once k -- sh -c 'kill $$'");
    expect_error(127, "memstore once k -- /nonexistent/command", "/nonexistent/command", NULL);
    expect(1, "", "memstore exists k");
    expect(0, "next\n",
           "memstore once k -- sh -c 'touch begun; sleep 0.05; exit 1' & until [ -e begun ]; do :; "
           "done; "
           "memstore once k -- echo next; wait");
    expect_error(3, "memstore once big -- head -c 70000000 /dev/zero", "Max size", NULL);
}
END_TEST

START_TEST(others_are_at_it)
{
    expect_error(6,
                 "memstore once k -- sh -c 'touch begun; sleep 60' & "
                 "until [ -e begun ]; do :; done; memstore once --timeout 20ms k -- echo x; "
                 "status=$?; kill $!; wait; exit $status",
                 "\"k\"", NULL);
    expect(0, "next\n",
           "memstore once k -- sh -c 'touch begun2; exec sleep 60' & "
           "until [ -e begun2 ]; do :; done; { sleep 0.05; kill -9 $!; } & "
           "memstore once k -- echo next");
}
END_TEST

/* ---- refusals ---- */

START_TEST(nonsense_is_status_2)
{
    static const struct {
        const char *arguments;
        const char *word;
    } cases[] = {
        {"put --ttl 0 k", "'0'"},
        {"put --ttl -1 k", "'-1'"},
        {"put --ttl 5x k", "'5x'"},
        {"put --ttl 1.2.3s k", "'1.2.3s'"},
        {"put --ttl . k", "'.'"},
        {"put --ttl '' k", "''"},
        {"put --ttl forever k", "'forever'"},
        {"put --ttl 1e3 k", "'1e3'"},
        {"put --ttl 9007199254740994ms k", "'never'"},
        {"touch", "touch needs"},
        {"wait", "wait needs"},
        {"wait --gone --changed k", "exclude"},
        {"wait --gone --after 1 k", "exclude"},
        {"wait --after x k", "'x'"},
        {"wait --after -1 k", "'-1'"},
        {"watch --from x", "'x'"},
        {"watch --from 99999999999999999999", "'99999999999999999999'"},
        {"lock", "lock needs"},
        {"lock n", "--"},
        {"lock n --", "--"},
        {"lock n sleep 1", "'sleep'"},
        {"lock -- n sleep 1", "too much"},
        {"lock --ttl 1s n -- true", "--ttl"},
        {"once k", "--"},
    };
    char command[128];

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        snprintf(command, sizeof(command), "memstore %s", cases[i].arguments);
        expect_error(2, command, cases[i].word, "--help", NULL);
    }
}
END_TEST

START_TEST(no_daemon_is_status_4)
{
    expect_error(4, "memstore -s none wait k", "none", NULL);
    expect_error(4, "memstore -s none watch", "none", NULL);
    expect_error(4, "memstore -s none lock l -- touch ran", "none", NULL);
    expect_error(4, "memstore -s none once k -- touch ran", "none", NULL);
    expect_error(4, "memstore -s none touch k", "none", NULL);
    expect(1, "", "[ -e ran ]");
}
END_TEST

static TCase *add_case(Suite *suite, const char *name, void (*before)(void))
{
    TCase *added = tcase_create(name);

    tcase_add_checked_fixture(added, before, harness_teardown);
    tcase_set_timeout(added, 60);
    suite_add_tcase(suite, added);
    return added;
}

static void add_waiting(Suite *suite)
{
    TCase *waiting = add_case(suite, "waiting", setup);

    tcase_add_test(waiting, a_lifetime_ends);
    tcase_add_test(waiting, a_lifetime_is_told);
    tcase_add_test(waiting, wait_until_there_is_one);
    tcase_add_test(waiting, wait_until_it_is_gone);
    tcase_add_test(waiting, wait_until_it_changes);
    tcase_add_test(waiting, wait_as_json);
    tcase_add_test(waiting, watch_tells_what_happens);
    tcase_add_test(waiting, watch_tells_of_the_end_of_lifetimes);
    tcase_add_test(waiting, watch_as_json);
    tcase_add_test(waiting, a_gap_is_told);
    tcase_add_test(waiting, they_go_on_with_the_next_daemon);
    tcase_add_test(waiting, a_bucket_that_is_dropped_ends_them);
    tcase_add_test(waiting, a_reader_of_a_watch_has_each_line_at_once);
}

static void add_turns(Suite *suite)
{
    TCase *turns = add_case(suite, "turns", setup);
    TCase *alone = add_case(suite, "without a daemon", setup_alone);

    tcase_add_test(turns, a_lock_is_had_by_one);
    tcase_add_test(turns, a_lock_has_a_growing_token);
    tcase_add_test(turns, a_lock_that_others_have);
    tcase_add_test(turns, a_lock_exits_as_its_command);
    tcase_add_test(turns, a_lock_ends_with_its_command);
    tcase_add_test(turns, a_lost_lock_is_told);
    tcase_add_test(turns, a_value_is_made_once);
    tcase_add_test(turns, what_is_made_has_attributes);
    tcase_add_test(turns, a_value_that_cannot_be_made);
    tcase_add_test(turns, others_are_at_it);
    tcase_add_test(alone, nonsense_is_status_2);
    tcase_add_test(alone, no_daemon_is_status_4);
}

int main(void)
{
    Suite *suite = suite_create("command_waiting");

    add_waiting(suite);
    add_turns(suite);
    return harness_main(suite);
}
