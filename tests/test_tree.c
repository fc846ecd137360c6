/* Folders in and out of the store: put, get and rm with --recursive, from a shell. */
#include "tests/harness.h"

#include <check.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct harness_daemon *the_daemon;

static void setup(void)
{
    harness_setup();
    the_daemon = harness_start("--max-size", "32M");
}

/* Runs a command in the test's folder, expects the exit status, returns what it wrote. */
static char *output_of(int status, const char *command)
{
    char *output;
    int got = harness_shell(the_daemon, &output, "cd %s && { %s\n}", harness_folder, command);

    ck_assert_msg(got == status, "%s: exit status %d, not %d:\n%s", command, got, status, output);
    return output;
}

/* The same, and it writes exactly this. */
static void expect(int status, const char *expected, const char *command)
{
    char *output = output_of(status, command);

    ck_assert_msg(strcmp(output, expected) == 0, "%s: wrote\n%s\nand not\n%s", command, output,
                  expected);
    free(output);
}

/* The same, and it writes so many lines, with these words in them (NULL ends them). */
__attribute__((sentinel)) static void expect_lines(int status, int lines, const char *command, ...)
{
    char *output = output_of(status, command);
    const char *word;
    va_list words;
    int count = 0;

    for (const char *c = output; *c; c++)
        count += *c == '\n';
    ck_assert_msg(count == lines, "%s: %d lines, not %d: %s", command, count, lines, output);
    va_start(words, command);
    while ((word = va_arg(words, const char *)))
        ck_assert_msg(strstr(output, word), "%s: no '%s' in: %s", command, word, output);
    va_end(words);
    free(output);
}

/* An object whose key a shell could not pass. */
static void put_key(const char *key, size_t length)
{
    struct memstore *store = harness_open(the_daemon);
    int r = memstore_put(store, key, length, "x", 1, NULL, NULL);

    ck_assert_msg(r == 0, "%s", memstore_message());
    memstore_close(store);
}

/* ---- there and back ---- */

START_TEST(a_tree_comes_back)
{
    expect(
        0, "",
        "mkdir -p in/a/b/c in/'with space' in/-dash && printf x > in/a/b/c/deep && : > in/empty\n"
        "for size in 1 2047 2048 8192 8193 262143 262144 262145 1048577 3000000; do\n"
        "    head -c $size /dev/urandom > in/a/$size; done\n"
        "printf 1 > in/'with space'/'new\nline'; printf 2 > in/-dash/-; printf 3 > in/\"$(printf "
        "'\\377')\"\n"
        "memstore put --recursive in p/ && memstore get --recursive p/ out && diff -r in out");
    expect(0, "",
           "memstore put -r in && memstore get -r '' out2 && rm -r out2/p && diff -r in out2");
    expect(0, "", "memstore put -r ./in/ q && memstore get -r q out3 && diff -r in out3");
}
END_TEST

START_TEST(many_files_come_back)
{
    expect(0, "2000\n",
           "mkdir -p in/1/2/3 && for i in $(seq 2000); do echo $i > in/1/2/3/$i; done\n"
           "memstore put -r in x/ && memstore ls x/ | wc -l");
    expect(0, "", "memstore get -r x/ out && diff -r in out");
    expect(0, "", "memstore rm -r x/ && memstore ls");
}
END_TEST

START_TEST(keys_are_the_prefix_and_the_path)
{
    expect(0, "", "mkdir -p in/d/e in/none && echo 1 > in/f && echo 2 > in/d/e/g");
    expect(0, "d/e/g\nf\n", "memstore put -r in && memstore ls");
    expect(0, "p/d/e/g\np/f\n", "memstore put -r in p/ && memstore ls p");
    expect(0, "pd/e/g\npf\n", "memstore rm -r p/; memstore put -r in memory://p && memstore ls p");
    expect(0, "1\n2\n", "memstore get -r p out && cat out/f out/d/e/g");
}
END_TEST

START_TEST(type_and_metadata_are_those_of_all)
{
    expect(0, "content-type: a/b\nmetadata.x: y\ncontent-type: a/b\nmetadata.x: y\n",
           "mkdir in && echo 1 > in/a && head -c 1000000 /dev/zero > in/b\n"
           "memstore put -r -t a/b -m x=y in && for key in a b; do\n"
           "    memstore info $key | tail -n 2; done");
}
END_TEST

START_TEST(what_was_done_is_told_as_json)
{
    expect(0, "", "mkdir in && echo 1 > in/a && head -c 1000000 /dev/zero > in/b && ln -s a in/c");
    expect(0,
           "{\n  \"objects\": 2,\n  \"bytes\": 1000002,\n  \"skipped\": 1,\n  \"failed\": 0\n}\n",
           "memstore put -r --json in p/ 2>/dev/null");
    expect(0,
           "{\n  \"objects\": 2,\n  \"bytes\": 1000002,\n  \"skipped\": 0,\n  \"failed\": 0\n}\n",
           "memstore get -r --json p/ out");
    expect(5, "{\n  \"objects\": 1,\n  \"bytes\": 2,\n  \"skipped\": 0,\n  \"failed\": 1\n}\n",
           "mkdir -p out2/b && memstore get -r --json p/ out2 2>/dev/null");
    expect(0,
           "{\n  \"objects\": 2,\n  \"bytes\": 1000002,\n  \"skipped\": 0,\n  \"failed\": 0\n}\n",
           "memstore rm -r --json p/");
    expect(0, "{\n  \"objects\": 0,\n  \"bytes\": 0,\n  \"skipped\": 0,\n  \"failed\": 0\n}\n",
           "memstore rm -r --all --json");
}
END_TEST

/* ---- put ---- */

START_TEST(what_is_no_file_is_passed_over)
{
    expect(0, "",
           "mkdir -p in/d out && echo 1 > in/d/a && echo 2 > secret && ln -s ../secret in/link\n"
           "ln -s .. in/up && ln -s nowhere in/dangling && mkfifo in/pipe\n"
           "python3 -c 'import socket; socket.socket(socket.AF_UNIX).bind(\"in/socket\")'");
    expect_lines(0, 5, "memstore put -r in p/", "in/link: passed over: a symbolic link",
                 "in/up: passed over: a symbolic link", "in/dangling: passed over",
                 "in/pipe: passed over: a named pipe", "in/socket: passed over: a socket", NULL);
    expect(0, "p/d/a\n", "memstore ls");
}
END_TEST

START_TEST(paths_that_are_too_long_keep_no_other_back)
{
    expect(0, "deep\n",
           "mkdir in && (cd in && for i in $(seq 240); do mkdir d && cd d || exit 1; done\n"
           "    echo deep > f)\n"
           "memstore put -r in && memstore get \"$(memstore ls)\"");
    expect_lines(5, 1,
                 "(cd in && for i in $(seq 240); do cd d; done\n"
                 "    for i in $(seq 20); do mkdir d && cd d || exit 1; done; echo deeper > f)\n"
                 "echo 1 > in/z; memstore put -r in",
                 "in/d/d/d", "longer than 500 bytes", NULL);
    expect(0, "1\n", "memstore get z");
    expect_lines(5, 1,
                 "mkdir in2 && name=$(printf %0250d 0) && mkdir in2/$name\n"
                 "echo 1 > in2/$name/$name; echo 2 > in2/y; memstore put -r in2",
                 "key of 501 bytes is too long", NULL);
    expect(0, "2\n", "memstore get y");
}
END_TEST

START_TEST(a_file_that_cannot_be_read_keeps_no_other_back)
{
    expect(0, "", "mkdir -p in/closed && echo 1 > in/a && echo 2 > in/closed/b && echo 3 > in/c");
    if (geteuid() == 0) {
        harness_skip("a_file_that_cannot_be_read_keeps_no_other_back", "root reads everything");
        return;
    }
    expect_lines(5, 2,
                 "chmod 0 in/closed in/c; memstore put -r in; s=$?; chmod 700 in/closed; exit $s",
                 "in/closed: Permission denied", "in/c: Permission denied", NULL);
    expect(0, "1\n", "memstore get a");
}
END_TEST

START_TEST(a_full_store_ends_it)
{
    expect(0, "", "mkdir in && for i in $(seq 50); do head -c 1000000 /dev/zero > in/$i; done");
    expect_lines(3, 2, "memstore put -r in p/", "Max size 33554432 would be exceeded",
                 "stopped there: 33 objects were stored", NULL);
    expect(0, "33\n", "memstore ls | wc -l");
    expect(0, "",
           "memstore rm -r p/; rm in/*; for i in $(seq 300); do\n"
           "    head -c 200000 /dev/zero > in/$i; done");
    expect_lines(3, 2, "memstore put -r in p/", "Max size 33554432 would be exceeded",
                 "stopped there: 167 objects were stored", NULL);
}
END_TEST

START_TEST(a_file_that_grows_is_told)
{
    /* The pipe's reader holds the command up in the middle of the large file. */
    expect_lines(5, 1,
                 "mkdir in && head -c 20000000 /dev/zero > in/a\n"
                 "while echo more >> in/a; do [ -e done ] && break; done & pid=$!\n"
                 "memstore put -r in; status=$?; : > done; wait $pid; exit $status",
                 "in/a: changed while it was read", NULL);
}
END_TEST

/* ---- get ---- */

START_TEST(nothing_is_written_outside_of_the_folder)
{
    static const char *const bad[] = {"p/../outside", "p/a/../../outside",
                                      "p/..",         "p/.",
                                      "p//outside",   "p//",
                                      "p/a//b",       "p/a/",
                                      "p/",           "p/./x",
                                      "p/a/./b",      "p/x/..",
                                      "p/../out/x"};
    char *output;
    int lines = 0;

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        put_key(bad[i], strlen(bad[i]));
    put_key("p/nul\0x", 7);
    put_key("p/nul\0/../../outside", 20);
    expect(0, "",
           "echo 1 | memstore put p/a/good; echo 2 | memstore put p/...; echo 3 | memstore put "
           "p/..b");
    expect(0, "", "echo 4 | memstore put \"p/$(printf %0256d 0)\"");
    output = output_of(5, "mkdir out; cd out; memstore get -r p/ out");
    for (const char *c = output; *c; c++)
        lines += *c == '\n';
    ck_assert_msg(lines == 16, "%d lines: %s", lines, output);
    ck_assert_ptr_nonnull(strstr(output, "'.' or '..'"));
    ck_assert_ptr_nonnull(strstr(output, "empty folder name"));
    ck_assert_ptr_nonnull(strstr(output, "begins with a slash"));
    ck_assert_ptr_nonnull(strstr(output, "ends with a slash"));
    ck_assert_ptr_nonnull(strstr(output, "nothing is behind the prefix"));
    ck_assert_ptr_nonnull(strstr(output, "a NUL"));
    ck_assert_ptr_nonnull(strstr(output, "too long"));
    free(output);
    expect(0, "out\nout/out\nout/out/...\nout/out/..b\nout/out/a\nout/out/a/good\n",
           "find out | sort");
    expect(0, "1\n2\n3\n", "cat out/out/a/good out/out/... out/out/..b");
}
END_TEST

START_TEST(absolute_keys_stay_inside)
{
    char key[200];

    snprintf(key, sizeof(key), "%s/outside", harness_folder);
    put_key(key, strlen(key));
    expect_lines(5, 1, "memstore get -r '' out", "begins with a slash", NULL);
    expect_lines(5, 1, "memstore get -r memory:///dev out", "begins with a slash", NULL);
    expect(0, "", "ls out outside 2>/dev/null | grep -v -e '^out:$' || true");
}
END_TEST

START_TEST(links_are_not_followed)
{
    expect(0, "",
           "mkdir out elsewhere && ln -s ../elsewhere out/d && echo old > elsewhere/f &&\n"
           "ln -s ../elsewhere/f out/f && ln -s f out/dangling\n"
           "for key in p/d/f p/d/e/f p/f p/g; do echo $key | memstore put $key; done");
    expect_lines(5, 2, "memstore get -r p/ out", "out/d/f: a symbolic link is on the way",
                 "out/d/e/f: a symbolic link is on the way", NULL);
    expect(0, "f\n", "ls elsewhere");
    expect(0, "old\np/f\np/g\n", "cat elsewhere/f out/f out/g");
    expect(1, "", "test -L out/f");
    /* The folder itself may be one. */
    expect(0, "p/f\n",
           "mkdir real && ln -s real link && memstore get -r p/f link/ 2>/dev/null;\n"
           "memstore put p/l/f < out/f && memstore get -r p/l/ link && cat real/f");
}
END_TEST

START_TEST(files_are_replaced_whole)
{
    expect(0, "",
           "mkdir -p out/dir in && echo old > out/a && chmod 640 out/a && ln out/a kept &&\n"
           "echo new > in/a && echo new > in/b && memstore put -r in p/");
    expect(0, "new\nnew\nold\n640\n",
           "memstore get -r p/ out && cat out/a out/b kept && stat -c %a out/a");
    expect_lines(5, 1, "echo x | memstore put p/dir; memstore get -r p/ out",
                 "out/dir: a folder stands there", NULL);
    expect_lines(5, 1, "memstore rm p/dir; echo x | memstore put p/a/b; memstore get -r p/ out",
                 "out/a/b: a file stands where a folder should be", NULL);
    expect(0, "a\nb\ndir\n", "ls -A out");
}
END_TEST

START_TEST(a_file_that_cannot_be_written_leaves_nothing)
{
    expect(0, "",
           "head -c 200000 /dev/zero | memstore put p/a; echo 1 | memstore put p/b;\n"
           "head -c 2000000 /dev/zero | memstore put p/c");
    expect_lines(5, 2, "ulimit -f 8; memstore get -r p/ out", "out/a: File too large",
                 "out/c: File too large", NULL);
    expect(0, "b\n", "ls -A out");
}
END_TEST

START_TEST(a_signal_leaves_nothing_half)
{
    expect(0, "",
           "mkdir in && for i in $(seq 20); do head -c 1500000 /dev/urandom > in/$i; done\n"
           "memstore put -r in p/");
    expect(0, "",
           "{ for i in $(seq 30); do\n"
           "    memstore get -r p/ out & pid=$!; sleep 0.00$((i % 10)); kill $pid\n"
           "    wait $pid; ls -A out 2>/dev/null | grep memstore\n"
           "done; } 2>/dev/null; for file in out/*; do cmp $file in/${file##*/} || exit 1; done");
}
END_TEST

/* ---- rm ---- */

START_TEST(objects_of_a_prefix_are_removed)
{
    expect(0, "", "for key in a/1 a/2 a/b/3 ab a; do echo $key | memstore put $key; done");
    expect(0, "a\nab\n", "memstore rm -r a/ && memstore ls");
    expect_lines(1, 1, "memstore rm -r a/", "no key begins with 'a/'", NULL);
    expect(0, "", "memstore rm --recursive a && memstore ls");
}
END_TEST

START_TEST(everything_is_removed_only_on_demand)
{
    expect(0, "", "for key in 1 2 3; do echo $key | memstore put $key; done");
    expect_lines(2, 1, "memstore rm --recursive", "--all", NULL);
    expect_lines(2, 1, "memstore rm --recursive ''", "--all", NULL);
    expect_lines(2, 1, "memstore rm --recursive memory://", "--all", NULL);
    expect_lines(2, 1, "memstore rm --recursive --all 1", "--all and a prefix", NULL);
    expect_lines(2, 1, "memstore rm --all", "--recursive", NULL);
    expect_lines(2, 1, "memstore rm --all 1", "--recursive", NULL);
    expect(0, "1\n2\n3\n", "memstore ls");
    expect(0, "", "memstore rm --recursive --all && memstore ls && memstore rm -r --all");
}
END_TEST

/* ---- mistakes ---- */

START_TEST(mistakes_are_told)
{
    expect_lines(5, 1, "memstore put -r nowhere", "nowhere: No such file", NULL);
    expect_lines(5, 1, ": > file; memstore put -r file", "without --recursive", NULL);
    expect_lines(2, 1, "memstore put -r", "a folder", NULL);
    expect_lines(2, 1, "memstore put -r a b c", "'c' is too much", NULL);
    expect_lines(2, 1, "memstore get -r a", "a prefix and a folder", NULL);
    expect_lines(2, 1, "memstore get -r --range 1:2 a b", "--range and --recursive", NULL);
    expect_lines(2, 1, "memstore get --json a", "--json only with --recursive", NULL);
    expect_lines(2, 1, "memstore ls -r", "--recursive", NULL);
    expect_lines(1, 1, "memstore get -r nothing out; status=$?; ls out 2>/dev/null; exit $status",
                 "no key begins with 'nothing'", NULL);
    expect_lines(5, 1, "echo 1 | memstore put a; memstore get -r '' file", "file: a file stands",
                 NULL);
    expect_lines(5, 1, "mkdir in; memstore put -r in $(printf %0501d 0)", "prefix of 501 bytes",
                 NULL);
    harness_kill(the_daemon);
    expect_lines(4, 1, "echo 1 > in/a; memstore put -r in", "memstored", NULL);
    expect_lines(4, 1, "memstore get -r '' out", "memstored", NULL);
    expect_lines(4, 1, "memstore rm -r a", "memstored", NULL);
}
END_TEST

START_TEST(a_bar_is_shown_on_a_terminal)
{
    char *output = output_of(
        0, "mkdir in && for i in $(seq 25); do head -c 1000000 /dev/zero > in/$i; done\n"
           "TERM=vt100 script -qec 'memstore put -r in p/ && memstore get -r p/ out' /dev/null "
           "< /dev/null | tr '\\r' '\\n'");

    /* It comes only after a moment, which may be longer than all of it; then it is wiped. */
    ck_assert_msg(!*output || strstr(output, "MiB of 23.8 MiB"), "%s", output);
    free(output);
    expect(0, "", "memstore get -r p/ out2 2>&1");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("tree");
    TCase *tree = tcase_create("tree");

    tcase_add_checked_fixture(tree, setup, harness_teardown);
    tcase_add_test(tree, a_tree_comes_back);
    tcase_add_test(tree, many_files_come_back);
    tcase_add_test(tree, keys_are_the_prefix_and_the_path);
    tcase_add_test(tree, type_and_metadata_are_those_of_all);
    tcase_add_test(tree, what_was_done_is_told_as_json);
    tcase_add_test(tree, what_is_no_file_is_passed_over);
    tcase_add_test(tree, paths_that_are_too_long_keep_no_other_back);
    tcase_add_test(tree, a_file_that_cannot_be_read_keeps_no_other_back);
    tcase_add_test(tree, a_full_store_ends_it);
    tcase_add_test(tree, a_file_that_grows_is_told);
    tcase_add_test(tree, nothing_is_written_outside_of_the_folder);
    tcase_add_test(tree, absolute_keys_stay_inside);
    tcase_add_test(tree, links_are_not_followed);
    tcase_add_test(tree, files_are_replaced_whole);
    tcase_add_test(tree, a_file_that_cannot_be_written_leaves_nothing);
    tcase_add_test(tree, a_signal_leaves_nothing_half);
    tcase_add_test(tree, objects_of_a_prefix_are_removed);
    tcase_add_test(tree, everything_is_removed_only_on_demand);
    tcase_add_test(tree, mistakes_are_told);
    tcase_add_test(tree, a_bar_is_shown_on_a_terminal);
    tcase_set_timeout(tree, 60);
    suite_add_tcase(suite, tree);
    return harness_main(suite);
}
