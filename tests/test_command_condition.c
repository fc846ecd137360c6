/* Changes on a condition, and counters, from a shell. */
#include "tests/harness.h"
#include "tests/shell.h"

#include <check.h>
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

/* A change whose condition fails: it prints the present version, and a line on stderr. */
static void expect_conflict(const char *version, const char *word, const char *command)
{
    char *output = output_of(6, "%s 2> error", command);
    char *error = output_of(0, "cat error");

    ck_assert_msg(strcmp(output, version) == 0, "%s: wrote %s and not %s", command, output,
                  version);
    ck_assert_msg(strncmp(error, "memstore: ", 10) == 0 && strstr(error, word), "%s: %s", command,
                  error);
    free(error);
    free(output);
}

/* ---- put ---- */

START_TEST(put_if_absent)
{
    expect(0, "", "printf 1 | memstore put --if-absent k");
    expect_conflict("1\n", "\"k\"", "printf 2 | memstore put --if-absent k");
    expect(0, "1", "memstore get k");
    expect(0, "", "memstore rm k; printf 3 | memstore put --if-absent k");
    expect(0, "3", "memstore get k");
}
END_TEST

START_TEST(put_if_present)
{
    expect_conflict("0\n", "\"k\"", "printf 1 | memstore put --if-present k");
    expect(1, "", "memstore exists k");
    expect(0, "", "printf 1 | memstore put k; printf 2 | memstore put --if-present k");
    expect(0, "2", "memstore get k");
}
END_TEST

START_TEST(put_if_version)
{
    expect_conflict("0\n", "\"k\"", "printf 1 | memstore put --if-version 1 k");
    expect(0, "", "printf 1 | memstore put k; printf 2 | memstore put --if-version 1 k");
    expect_conflict("2\n", "\"k\"", "printf 3 | memstore put --if-version 1 k");
    expect(0, "2", "memstore get k");
    expect(0, "",
           "printf 3 | memstore put --if-version $(memstore info --json k | "
           "sed -n 's/.*\"version\": \\([0-9]*\\).*/\\1/p') --if-present k");
    expect(0, "3", "memstore get k");
}
END_TEST

START_TEST(put_if_etag)
{
    expect(0, "",
           "printf 1 | memstore put k; memstore info k | sed -n 's/^etag: //p' > etag; "
           "printf 2 | memstore put --if-etag $(cat etag) k");
    expect_conflict("2\n", "\"k\"", "printf 3 | memstore put --if-etag $(cat etag) k");
    expect(0, "",
           "printf 1 | memstore put k; tr a-f A-F < etag > upper; "
           "printf 3 | memstore put --if-etag $(cat upper) k");
}
END_TEST

START_TEST(a_large_value_has_conditions_too)
{
    expect(0, "", "head -c 3000000 /dev/zero > in; memstore put --if-absent k in");
    expect_conflict("1\n", "in: ", "memstore put --if-absent k in");
    expect_conflict("1\n", "\"k\"", "memstore put --if-version 7 k in");
    expect(0, "", "memstore put --if-version 1 k in");
}
END_TEST

START_TEST(one_of_many_is_first)
{
    expect(0, "1\n",
           "for i in 1 2 3 4 5 6 7 8; do "
           "{ printf $i | memstore put --if-absent k > out$i 2>&1 && echo x >> won; } & done; "
           "wait; wc -l < won");
}
END_TEST

/* ---- the others ---- */

START_TEST(rm_on_conditions)
{
    expect(0, "", "printf 1 | memstore put k");
    expect_conflict("1\n", "\"k\"", "memstore rm --if-version 2 k");
    expect(0, "", "memstore rm --if-version 1 k");
    expect_conflict("0\n", "\"k\"", "memstore rm --if-version 1 k");
    expect_error(1, "memstore rm k", "\"k\"", NULL);
}
END_TEST

START_TEST(cp_and_mv_on_conditions)
{
    expect(0, "", "printf 1 | memstore put a; memstore cp --if-absent a b");
    expect_conflict("2\n", "\"b\"", "memstore cp --if-absent a b");
    expect_conflict("2\n", "\"b\"", "memstore mv --if-version 1 a b");
    expect_conflict("0\n", "\"c\"", "memstore mv --if-present a c");
    expect(0, "", "memstore mv --if-version 2 a b");
    expect_error(1, "memstore cp --if-absent a c", "\"a\"", NULL);
    expect_error(1, "memstore mv --if-present a b", "\"a\"", NULL);
}
END_TEST

START_TEST(touch_on_conditions)
{
    expect(0, "", "printf 1 | memstore put k");
    expect_conflict("1\n", "\"k\"", "memstore touch --ttl 1h --if-version 2 k");
    expect(1, "", "memstore info k | grep expires");
    expect(0, "", "memstore touch --ttl 1h --if-version 1 k && memstore info k | grep -q expires");
    expect_conflict("0\n", "\"x\"", "memstore touch --if-present x");
}
END_TEST

START_TEST(get_what_is_newer)
{
    expect(0, "1", "printf 1 | memstore put k; memstore get --if-not-version 0 k");
    expect(6, "", "memstore get --if-not-version 1 k");
    expect(6, "", "memstore get --if-not-version 1 k out; [ -e out ] && exit 0; exit 6");
    expect(0, "2", "printf 2 | memstore put k; memstore get --if-not-version 1 k out; cat out");
    expect_error(1, "memstore get --if-not-version 1 x", "\"x\"", NULL);
}
END_TEST

/* ---- counters ---- */

START_TEST(add_counts)
{
    expect(0, "1\n3\n-9\n-8\n",
           "memstore add k; memstore add k 2; memstore add k -12; "
           "memstore add k +1");
    expect(0, "-8", "memstore get k");
    expect(0, "-9\n-5\n", "memstore add k -- -1; memstore add -- k 4");
    expect(0, "9223372036854775807\n", "memstore add max 9223372036854775807");
    expect_error(5, "memstore add max", "\"max\"", NULL);
    expect(0, "-1\n", "memstore add max -9223372036854775808");
    expect_error(5, "printf x | memstore put text; memstore add text", "\"text\"", NULL);
}
END_TEST

START_TEST(add_on_conditions)
{
    expect(0, "5\n", "memstore add --if-absent k 5");
    expect_conflict("1\n", "\"k\"", "memstore add --if-absent k");
    expect_conflict("0\n", "\"x\"", "memstore add --if-present x");
    expect(0, "6\n", "memstore add --if-version 1 k");
}
END_TEST

START_TEST(many_add_at_once)
{
    expect(0, "400",
           "for i in 1 2 3 4; do { for j in $(seq 100); do memstore add k; done > /dev/null; } & "
           "done; wait; memstore get k");
}
END_TEST

/* ---- refusals ---- */

START_TEST(nonsense_is_status_2)
{
    static const struct {
        const char *arguments;
        const char *word;
    } cases[] = {
        {"put --if-absent --if-present k", "--if-absent"},
        {"put --if-absent --if-version 1 k", "--if-absent"},
        {"put --if-version 0 k", "--if-absent"},
        {"put --if-version x k", "'x'"},
        {"put --if-etag x k", "'x'"},
        {"put --if-etag 0123456789abcdef0123456789abcdeg k", "etag"},
        {"put --recursive --if-absent d", "--recursive"},
        {"rm --if-absent k", "--if-absent"},
        {"rm --if-version 1 a b", "one key"},
        {"get --if-version 1 k", "--if-version"},
        {"get --if-not-version 1 --range 0:1 k", "--range"},
        {"get --if-not-version -1 k", "'-1'"},
        {"add", "add needs"},
        {"add k x", "'x'"},
        {"add k 1.5", "'1.5'"},
        {"add k ''", "''"},
        {"add k ' 1'", "' 1'"},
        {"add k 9223372036854775808", "'9223372036854775808'"},
        {"add k 1 2", "'2'"},
        {"add k -5x", "'-5'"},
        {"ls -5", "'-5'"},
    };
    char command[128];

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        snprintf(command, sizeof(command), "memstore %s", cases[i].arguments);
        expect_error(2, command, cases[i].word, "--help", NULL);
    }
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

int main(void)
{
    Suite *suite = suite_create("command_condition");
    TCase *conditions = add_case(suite, "conditions", setup);
    TCase *alone = add_case(suite, "without a daemon", setup_alone);

    tcase_add_test(conditions, put_if_absent);
    tcase_add_test(conditions, put_if_present);
    tcase_add_test(conditions, put_if_version);
    tcase_add_test(conditions, put_if_etag);
    tcase_add_test(conditions, a_large_value_has_conditions_too);
    tcase_add_test(conditions, one_of_many_is_first);
    tcase_add_test(conditions, rm_on_conditions);
    tcase_add_test(conditions, cp_and_mv_on_conditions);
    tcase_add_test(conditions, touch_on_conditions);
    tcase_add_test(conditions, get_what_is_newer);
    tcase_add_test(conditions, add_counts);
    tcase_add_test(conditions, add_on_conditions);
    tcase_add_test(conditions, many_add_at_once);
    tcase_add_test(alone, nonsense_is_status_2);
    return harness_main(suite);
}
