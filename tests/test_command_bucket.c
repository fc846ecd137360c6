/* Buckets, from a shell. */
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

/* ---- one of many ---- */

START_TEST(a_bucket_has_its_own_keys)
{
    expect(0, "", "memstore bucket create b");
    expect(0, "", "printf b | memstore -b b put k; printf d | memstore put k --bucket default");
    expect(0, "bd", "memstore get -b b k; memstore get k");
    expect(0, "b", "MEMSTORE_BUCKET=b memstore get k");
    expect(0, "d", "MEMSTORE_BUCKET=b memstore get k -b default");
    expect(0, "k\n", "memstore -b b cp k l; memstore ls");
    expect(0, "k\nl\n", "memstore -b b ls");
    expect(0, "memory://k\n", "memstore url -b none k");
}
END_TEST

START_TEST(a_bucket_that_is_missing_is_named)
{
    expect_error(1, "memstore -b none get k", "'none'", "memstore bucket create none", NULL);
    expect_error(1, "MEMSTORE_BUCKET=none memstore ls", "'none'", NULL);
    expect_error(4, "memstore -s nowhere -b none ls", "nowhere", NULL);
    expect_error(5, "memstore -b 'a b' ls", "\"a b\"", NULL);
    /* what is about the whole store does not care */
    expect(0, "default\n", "MEMSTORE_BUCKET=none memstore bucket ls");
    expect(0, "",
           "MEMSTORE_BUCKET=none memstore stats > out; MEMSTORE_BUCKET=none memstore holders "
           "-b nix");
}
END_TEST

START_TEST(create_and_drop)
{
    expect(0, "a\nb\ndefault\n",
           "memstore bucket create b && memstore bucket create a && "
           "memstore bucket ls");
    expect_error(6, "memstore bucket create a", "'a'", NULL);
    expect(0, "", "memstore bucket create --exist-ok a");
    expect(0, "a\ndefault\n", "memstore bucket drop b && memstore bucket ls");
    expect_error(1, "memstore bucket drop b", "'b'", NULL);
    expect_error(1, "memstore bucket drop b a", "'b'", NULL);
    expect(0, "default\n", "memstore bucket ls");
    expect_error(5, "memstore bucket drop default", "'default'", NULL);
    expect_error(5, "memstore bucket create 'a/b'", "\"a/b\"", NULL);
    expect_error(5, "memstore bucket create $(printf %065d 1)", "64", NULL);
    expect_error(5, "memstore bucket create ''", "\"\"", NULL);
}
END_TEST

START_TEST(objects_go_from_one_to_another)
{
    expect(0, "",
           "memstore bucket create a && memstore bucket create b && "
           "printf 1 | memstore put -b a k");
    expect(0, "1", "memstore -b a cp --to-bucket b k l && memstore get -b b l");
    expect(0, "k\n", "memstore -b a ls");
    expect(0, "1", "memstore -b a mv --to-bucket b k k && memstore get -b b k");
    expect(0, "", "memstore -b a ls");
    expect(0, "",
           "[ $(memstore -b b cp --if-absent --to-bucket b k k 2> error) = "
           "$(memstore -b b wait k) ]");
    expect_error(1, "memstore -b b cp --to-bucket none k k", "'none'", NULL);
    expect_error(1, "memstore -b b cp --if-present --to-bucket none k k", "'none'", NULL);
    expect_error(1, "memstore -b b mv --to-bucket a none k", "\"none\"", NULL);
}
END_TEST

/* ---- for as long as a command runs ---- */

START_TEST(a_bucket_for_a_command)
{
    expect(
        0, "k\nephemeral:   yes\nb\ndefault\n",
        "memstore bucket create --ephemeral --max-size 1M b -- sh -c 'printf x | memstore put k; "
        "memstore ls; memstore bucket info $MEMSTORE_BUCKET | grep ephemeral; "
        "memstore bucket ls'");
    expect(0, "default\n", "memstore bucket ls");
    expect(7, "", "memstore bucket create --ephemeral b -- sh -c 'exit 7'");
    expect_error(127, "memstore bucket create --ephemeral b -- /nonexistent", "/nonexistent", NULL);
    expect_error(6,
                 "memstore bucket create b; "
                 "memstore bucket create --ephemeral b -- touch ran",
                 "'b'", NULL);
    expect(1, "", "[ -e ran ]");
}
END_TEST

START_TEST(its_name_is_free_when_it_ends)
{
    expect(0, "",
           "for i in 1 2 3 4 5 6 7 8 9 10; do memstore bucket create --ephemeral b -- "
           "memstore put k /dev/null || exit 1; done; memstore bucket create b");
}
END_TEST

START_TEST(it_ends_with_us)
{
    expect(0, "",
           "memstore bucket create --ephemeral b -- sh -c 'echo $$ > pid; exec sleep 60' & "
           "until [ -s pid ]; do :; done; kill -9 $!; wait $! 2> /dev/null; "
           "while memstore bucket info b > out 2>&1; do :; done; "
           "while kill -0 $(cat pid) 2> /dev/null; do :; done");
    expect(0, "143\n",
           "memstore bucket create --ephemeral b -- sh -c 'echo $$ > pid2; exec sleep 60' & "
           "until [ -s pid2 ]; do :; done; kill $!; wait $!; echo $?; "
           "memstore bucket create b");
}
END_TEST

START_TEST(a_bucket_that_others_drop_meanwhile)
{
    /* the one that they made is theirs */
    expect(0, "b\ndefault\n",
           "memstore bucket create --ephemeral b -- "
           "sh -c 'memstore bucket drop b; memstore bucket create b'; memstore bucket ls");
}
END_TEST

START_TEST(an_object_for_a_command)
{
    expect(0, "size: 0\n", "memstore put --ephemeral k -- sh -c 'memstore info k | grep size'");
    expect(1, "", "memstore exists k");
    expect(0, "value typed",
           "printf 'value ' > in; printf typed | memstore put --ephemeral k in -- "
           "sh -c 'memstore get k; cat'");
    expect(0, "typed", "printf typed | memstore put --ephemeral k - -- memstore get k");
    expect(0, "",
           "head -c 3000000 /dev/zero > in; memstore put --ephemeral -t a/b k in -- "
           "sh -c 'memstore get k | cmp - in'");
    expect(5, "", "memstore put --ephemeral k -- sh -c 'exit 5'");
    expect(0, "", "memstore put --ephemeral --if-absent k -- true");
    expect(6, "",
           "memstore put k /dev/null; memstore put --ephemeral --if-absent k -- touch ran "
           "> out 2>&1");
    expect_error(5, "memstore put --ephemeral l none -- touch ran", "none: No such file", NULL);
    expect(1, "k\n", "memstore ls; [ -e ran ]");
}
END_TEST

START_TEST(an_object_ends_with_us)
{
    expect(0, "",
           "memstore put --ephemeral k -- sh -c 'echo $$ > pid; exec sleep 60' & "
           "until [ -s pid ]; do :; done; memstore exists k || exit 1; kill -9 $!; "
           "wait $! 2> /dev/null; memstore wait --gone k; "
           "while kill -0 $(cat pid) 2> /dev/null; do :; done");
}
END_TEST

START_TEST(an_object_that_others_replace_stays)
{
    expect(0, "theirs",
           "memstore put --ephemeral k -- sh -c 'printf theirs | memstore put k'; memstore get k");
}
END_TEST

/* ---- settings ---- */

START_TEST(settings_are_told)
{
    json_t *info;

    expect(0, "", "memstore bucket create --max-size 1M --max-objects 10 --policy lru --ttl 90m b");
    info = json_of("memstore bucket info --json b");
    ck_assert_str_eq(text_in(info, "name"), "b");
    ck_assert_int_eq(number_in(info, "max_size"), 1024 * 1024);
    ck_assert_int_eq(number_in(info, "max_objects"), 10);
    ck_assert_int_eq(number_in(info, "ttl_ms"), 90 * 60 * 1000);
    ck_assert_str_eq(text_in(info, "policy"), "lru");
    ck_assert(json_is_false(json_object_get(info, "ephemeral")));
    json_decref(info);
    expect(0,
           "name:        b\n"
           "max size:    1 MiB (1048576 bytes)\n"
           "used:        0 B\n"
           "max objects: 10\n"
           "objects:     0\n"
           "policy:      lru\n"
           "lifetime:    90m\n"
           "ephemeral:   no\n"
           "puts:        0\n",
           "memstore bucket info b | head -n 9");
    expect_error(1, "memstore bucket info none", "'none'", NULL);
}
END_TEST

START_TEST(settings_are_changed)
{
    json_t *info;

    expect(0, "", "memstore bucket create --max-objects 10 --ttl 5s b");
    expect(0, "", "memstore bucket set --max-size 2K --policy lru b");
    expect(0, "0\t2048\t0\t10\tlru\t5s\t-\tb\n", "memstore bucket ls -l | grep 'b$'");
    expect(0, "",
           "memstore bucket set --max-size none --max-objects none --ttl never "
           "--policy refuse b");
    expect(0, "0\t-\t0\t-\trefuse\t-\t-\tb\n", "memstore bucket ls -l | grep 'b$'");
    info = json_of("memstore bucket info --json b");
    ck_assert(json_is_null(json_object_get(info, "max_size")));
    ck_assert(json_is_null(json_object_get(info, "max_objects")));
    ck_assert(json_is_null(json_object_get(info, "ttl_ms")));
    json_decref(info);
    expect_error(1, "memstore bucket set --ttl 1s none", "'none'", NULL);
}
END_TEST

START_TEST(limits_hold)
{
    expect(0, "",
           "memstore bucket create --max-size 10 --max-objects 2 b; "
           "printf 12345678 | memstore put -b b k");
    expect_error(3, "printf 123 | memstore put -b b l", "Max size 10 would be exceeded", "bucket",
                 NULL);
    expect_error(3, "for k in l m; do memstore put -b b $k /dev/null; done", "Max objects 2", NULL);
    expect(0, "", "printf 123456789012 | memstore put k");
}
END_TEST

START_TEST(the_bucket_gives_lifetimes)
{
    expect(0, "",
           "memstore bucket create --ttl 30ms b; printf x | memstore put -b b k; "
           "memstore wait -b b --gone k");
    expect(1, "",
           "printf x | memstore put -b b --ttl never k; memstore info -b b k | grep expires");
}
END_TEST

/* ---- lists ---- */

START_TEST(ls_as_json)
{
    json_t *list;

    expect(0, "", "memstore bucket create b; printf 123 | memstore put -b b k");
    list = json_of("memstore bucket ls --json");
    ck_assert_uint_eq(json_array_size(list), 2);
    ck_assert_str_eq(text_in(json_array_get(list, 0), "name"), "b");
    ck_assert_int_eq(number_in(json_array_get(list, 0), "used"), 3);
    ck_assert_int_eq(number_in(json_array_get(list, 0), "objects"), 1);
    json_decref(list);
}
END_TEST

START_TEST(ls_is_for_people)
{
    char *output;

    expect(0, "",
           "memstore bucket create --max-size 5M --ttl 1h cache; "
           "printf 123 | memstore put -b cache k");
    output = output_of(0, "TERM=vt100 script -qec 'memstore bucket ls -l' /dev/null < /dev/null");
    ck_assert_msg(strstr(output, "USED") && strstr(output, "LIFETIME"), "%s", output);
    ck_assert_msg(strstr(output, "      3 B      5 MiB           1            -  refuse        1h  "
                                 "cache\r\n"),
                  "%s", output);
    free(output);
}
END_TEST

/* ---- refusals ---- */

START_TEST(nonsense_is_status_2)
{
    static const struct {
        const char *arguments;
        const char *word;
    } cases[] = {
        {"bucket", "create, drop, ls, info or set"},
        {"bucket frobnicate", "'bucket frobnicate'"},
        {"bucket --json ls", "--json"},
        {"bucket create", "bucket create needs one name"},
        {"bucket create a b", "'b'"},
        {"bucket create --max-size x b", "'x'"},
        {"bucket create --max-size -1 b", "'-1'"},
        {"bucket create --max-objects 1K b", "'1K'"},
        {"bucket create --policy fifo b", "'fifo'"},
        {"bucket create --ttl 0 b", "'0'"},
        {"bucket create --ephemeral b", "--"},
        {"bucket create b -- true", "'true'"},
        {"bucket create --ephemeral --exist-ok b -- true", "--exist-ok"},
        {"bucket create --ephemeral b --", "--"},
        {"bucket drop", "bucket drop needs"},
        {"bucket ls a", "'a'"},
        {"bucket info", "bucket info needs"},
        {"bucket set b", "--max-size"},
        {"bucket set --exist-ok b", "--exist-ok"},
        {"put --ephemeral k", "--"},
        {"put k -- a b", "'b'"},
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
    Suite *suite = suite_create("command_bucket");
    TCase *buckets = add_case(suite, "buckets", setup);
    TCase *alone = add_case(suite, "without a daemon", setup_alone);

    tcase_add_test(buckets, a_bucket_has_its_own_keys);
    tcase_add_test(buckets, a_bucket_that_is_missing_is_named);
    tcase_add_test(buckets, create_and_drop);
    tcase_add_test(buckets, objects_go_from_one_to_another);
    tcase_add_test(buckets, a_bucket_for_a_command);
    tcase_add_test(buckets, its_name_is_free_when_it_ends);
    tcase_add_test(buckets, it_ends_with_us);
    tcase_add_test(buckets, a_bucket_that_others_drop_meanwhile);
    tcase_add_test(buckets, an_object_for_a_command);
    tcase_add_test(buckets, an_object_ends_with_us);
    tcase_add_test(buckets, an_object_that_others_replace_stays);
    tcase_add_test(buckets, settings_are_told);
    tcase_add_test(buckets, settings_are_changed);
    tcase_add_test(buckets, limits_hold);
    tcase_add_test(buckets, the_bucket_gives_lifetimes);
    tcase_add_test(buckets, ls_as_json);
    tcase_add_test(buckets, ls_is_for_people);
    tcase_add_test(alone, nonsense_is_status_2);
    return harness_main(suite);
}
