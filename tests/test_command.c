/* The command memstore, as a user of a shell meets it. */
#include "tests/harness.h"
#include "tests/shell.h"

#include <check.h>
#include <jansson.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MIB (1024 * 1024)

static void setup(void)
{
    harness_setup();
    the_daemon = harness_start("--max-size", "64M", NULL);
}

static void setup_alone(void)
{
    harness_setup();
    the_daemon = NULL;
}

static void write_file(const char *name, size_t size)
{
    char path[128];
    char *bytes = malloc(size + 1);
    FILE *file;

    ck_assert_ptr_nonnull(bytes);
    harness_fill(bytes, size, size + 1);
    snprintf(path, sizeof(path), "%s/%s", harness_folder, name);
    file = fopen(path, "wb");
    ck_assert_ptr_nonnull(file);
    ck_assert_uint_eq(fwrite(bytes, 1, size, file), size);
    ck_assert_int_eq(fclose(file), 0);
    free(bytes);
}

/* ---- values in and out ---- */

START_TEST(files_come_back)
{
    /* about the piece in which the command reads, 256 KiB, and the frame, 64 KiB */
    static const size_t sizes[] = {0,      1,      4096,   65535,  65536,      65537,
                                   262143, 262144, 262145, 524288, 3 * MIB + 1};

    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        write_file("in", sizes[i]);
        expect(0, "", "memstore put k in && memstore get k out && cmp in out");
        expect(0, "", "memstore get k | cmp - in");
        expect(0, "", "memstore put p < in && memstore get p - | cmp in -");
        expect(0, "", "cat in | memstore put p - && memstore get p > out && cmp in out");
    }
}
END_TEST

START_TEST(a_large_file_comes_back)
{
    harness_stop(the_daemon);
    the_daemon = harness_start("--max-size", "128M", NULL);
    write_file("in", 100 * MIB);
    expect(0, "", "memstore put big in");
    expect(0, "", "memstore get big out && cmp in out");
    expect(0, "", "memstore get big | cmp - in");
    expect(0, "104857600\n", "memstore info big | sed -n 's/^size: //p'");
    expect(0, "",
           "cat in | memstore put big && memstore get --range 99M: big > tail && "
           "tail -c 1048576 in | cmp - tail");
}
END_TEST

START_TEST(standard_input_continues_where_it_stands)
{
    expect(0, "two\n",
           "printf 'one\\ntwo\\n' > in; { read line; memstore put k; } < in; memstore get k");
    expect(0, "and\nthe rest\n",
           "printf 'and\\nthe rest\\n' | memstore put rest; memstore get rest");
}
END_TEST

START_TEST(type_and_metadata_are_kept)
{
    expect(0, "", "printf x | memstore put -t text/html -m author=ann -m a=b=c -m none= k");
    expect(0, "content-type: text/html\nmetadata.a: b=c\nmetadata.author: ann\nmetadata.none: \n",
           "memstore info k | grep -e content-type -e metadata");
    expect(0, "content-type: \n", "printf x | memstore put k -t '' && memstore info k | tail -n 1");
    expect(1, "", "printf x | memstore put k && memstore info k | grep -e content -e metadata");
    /* the same for what goes through the writer */
    write_file("in", MIB);
    expect(0, "content-type: a/b\nmetadata.x: y\n",
           "memstore put k in --type a/b --metadata x=y && memstore info k | tail -n 2");
}
END_TEST

START_TEST(ranges_are_cut)
{
    expect(0, "", "printf 0123456789 | memstore put k");
    expect(0, "234", "memstore get k --range 2:3");
    expect(0, "89", "memstore get --range=8:100 k");
    expect(0, "56789", "memstore get --range 5: k");
    expect(0, "", "memstore get --range 10:1 k");
    expect(0, "", "memstore get --range 3:0 k");
    expect(0, "0123456789", "memstore get --range 0:1G k");
    expect(0, "12", "memstore get --range 1:2 k out && cat out");
    expect_error(5, "memstore get --range 11:1 k", "\"k\"", NULL);
    expect_error(5, "memstore get --range 1M:1 k out2", "\"k\"", NULL);
    expect(1, "", "test -e out2");
}
END_TEST

START_TEST(input_that_cannot_be_read_changes_nothing)
{
    expect(0, "", "printf old | memstore put k");
    expect_error(5, "memstore put k /nonexistent/file", "/nonexistent/file", "No such file", NULL);
    expect_error(5, "memstore put k .", ".", "Is a directory", NULL);
    expect_error(5, "memstore put k <&-", "standard input", NULL);
    expect(0, "old", "memstore get k");
}
END_TEST

START_TEST(too_large_a_file_is_refused_at_once)
{
    expect_error(5, "truncate -s 4G in && memstore put k in", "in", "4294967296", "4294901760",
                 "'k'", NULL);
    expect(1, "", "memstore exists k");
}
END_TEST

/* ---- output files ---- */

START_TEST(an_output_file_is_replaced_as_a_whole)
{
    write_file("value", 2 * MIB);
    expect(0, "", "memstore put big value");
    expect(0, "", "printf old > out && ln out hard && memstore get big out && cmp out value");
    expect(0, "old", "cat hard");
    expect(0, "640\n", "chmod 640 out && memstore get big out && stat -c %a out");
    expect(0, "604\n", "umask 073 && memstore get big new && stat -c %a new");
    expect(0, "out\n",
           "printf old > out && ln -s out link && memstore get big link && cmp out value && "
           "readlink link");
    expect(1, "", "ls -A | grep memstore-");
}
END_TEST

START_TEST(a_failed_get_leaves_the_file)
{
    /* 100 blocks of 512 bytes are less, and it is small enough to need no other file than this */
    write_file("value", 60000);
    expect(0, "", "memstore put big value && printf old > out");
    expect_error(1, "memstore get missing out", "\"missing\"", NULL);
    expect_error(5, "ulimit -f 100; memstore get big out", "out", "File too large", NULL);
    expect(0, "old", "cat out");
    expect_error(5, "ulimit -f 100; memstore get big new", "new", "File too large", NULL);
    expect(1, "", "test -e new");
    expect_error(5, "memstore get big nowhere/new", "nowhere/new", "No such file", NULL);
    expect_error(5, "memstore get big .", ".", "Is a directory", NULL);
    expect(1, "", "ls -A | grep memstore-");
}
END_TEST

START_TEST(a_signal_leaves_no_temporary_file)
{
    write_file("value", 32 * MIB);
    expect(0, "", "memstore put big value && printf old > out");
    /* at all sorts of moments, of which some come before the end */
    expect(0, "ended\n",
           "for wait in 0 0.01 0.02 0.03 0.04 0.05 0.06 0.08 0.1 0.15; do "
           "{ memstore get big out & sleep $wait; kill $!; wait $!; } 2> /dev/null; "
           "test $? = 143 && echo ended; "
           "cmp -s out value || test \"$(cat out)\" = old || echo half; "
           "ls -A | grep memstore-; done | uniq");
}
END_TEST

START_TEST(pipes_and_devices_are_written_directly)
{
    write_file("value", 2 * MIB);
    expect(0, "", "memstore put big value");
    expect(0, "",
           "mkfifo pipe && { cat pipe > out & } && memstore get big pipe && wait && "
           "test -p pipe && cmp out value");
    expect(0, "", "memstore get big /dev/null && test -c /dev/null");
    expect(0, "before after\n",
           "printf mid | memstore put small; { printf 'before '; "
           "memstore get small /dev/stdout; echo ' after'; } > out && sed 's/mid //' out");
    expect(0, "", "memstore get big /dev/stdout | cmp - value");
    expect_error(5, "memstore get big /dev/full", "/dev/full", "No space left", NULL);
}
END_TEST

START_TEST(a_full_standard_output_is_an_error)
{
    static const char *const commands[] = {"get k",  "ls",    "ls -l", "ls --json",
                                           "info k", "url k", "stats", "--help"};
    char command[64];

    expect(0, "", "printf x | memstore put k");
    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
        snprintf(command, sizeof(command), "memstore %s > /dev/full", commands[i]);
        expect_error(5, command, "standard output", "No space left", NULL);
        snprintf(command, sizeof(command), "memstore %s >&-", commands[i]);
        expect_error(5, command, "standard output", NULL);
    }
    expect(0, "", "printf y | memstore put k >&-");
}
END_TEST

START_TEST(a_reader_that_leaves_is_no_surprise)
{
    write_file("value", 2 * MIB);
    expect(0, "", "memstore put big value");
    expect(0, "141\n", "{ memstore get big; echo $? > status; } | true; cat status");
    expect(0, "5\n",
           "trap '' PIPE; { memstore get big 2> log; echo $? > status; } | true; cat status");
    expect(0, "memstore: standard output: Broken pipe\n", "cat log");
}
END_TEST

/* ---- keys ---- */

START_TEST(keys_are_taken_literally)
{
    static const char *const keys[] = {
        "''",
        "' '",
        "'a b'",
        "'../../etc/passwd'",
        "/a",
        "d/",
        "D",
        "'$(:)'",
        "'*'",
        "'grün %20?x#f'",
        "-- -dash",
        "-- --json",
        "-- --",
        "-- -",
        "\"$(printf 'a\\nb\\tc')\"",
        "\"$(printf '\\377\\200')\"",
    };
    struct memstore *store;

    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
        free(output_of(0, "printf %zu | memstore put %s", i, keys[i]));
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
        free(output_of(0, "test \"$(memstore get %s)\" = %zu && memstore exists %s", keys[i], i,
                       keys[i]));
    store = harness_open(the_daemon);
    harness_expect(store, "", "0");
    harness_expect(store, "-dash", "10");
    harness_expect(store, "a\nb\tc", "14");
    harness_expect(store, "\377\200", "15");
    memstore_close(store);
    expect(0, "16\n", "memstore ls -0 | tr -cd '\\0' | wc -c");
    expect(0, "", "memstore ls -0 | xargs -0 -r memstore rm -- && memstore ls");
}
END_TEST

START_TEST(keys_have_a_limit)
{
    expect(0, "",
           "printf x | memstore put $(printf %0500d 0) && memstore exists $(printf %0500d 0)");
    expect_error(5, "printf x | memstore put $(printf %0501d 0)", "500", NULL);
    expect_error(5, "memstore ls $(printf %0501d 0)", "500", NULL);
    expect_error(5, "memstore url $(printf %0501d 0)", "500", NULL);
}
END_TEST

START_TEST(a_key_may_be_its_url)
{
    expect(0, "v", "printf v | memstore put memory://a/b && memstore get a/b");
    expect(0, "a/b\n", "memstore ls memory://a");
    expect(0, "a/b\n", "memstore cp memory://a/b memory:///c && memstore ls a");
    expect(0, "/c\n", "memstore rm memory://a/b && memstore ls");
    expect(0, "memory://x\n",
           "printf v | memstore put memory://memory://x && memstore rm /c && memstore ls");
    expect(0, "", "printf v | memstore put memory:// && memstore exists ''");
}
END_TEST

START_TEST(urls_need_no_daemon)
{
    expect(0, "memory://test.txt\n", "memstore url test.txt");
    expect(0, "memory://a b%20é?x=1#f\n", "memstore url 'a b%20é?x=1#f'");
    expect(0, "memory:///a/b\n", "memstore url /a/b");
    expect(0, "memory://\n", "memstore url ''");
    expect(0, "memory://--help\n", "memstore url -- --help");
    expect(0, "memory://k\n", "memstore url memory://k");
}
END_TEST

/* ---- the other commands ---- */

START_TEST(exists_answers_with_its_status)
{
    expect(1, "", "memstore exists k");
    expect(0, "", ": | memstore put k && memstore exists k");
    expect(0, "", "memstore get k");
    expect(1, "", "memstore rm k && memstore exists k");
}
END_TEST

START_TEST(rm_goes_on_after_a_missing_key)
{
    expect(0, "", "for k in a b c d; do printf $k | memstore put $k; done");
    expect_error(1, "memstore rm a missing c", "\"missing\"", NULL);
    expect(0, "b\nd\n", "memstore ls");
    expect(5, "", "memstore rm b $(printf %0501d 0) missing d 2> log");
    expect(0, "2\n", "wc -l < log");
    expect(0, "", "memstore ls");
}
END_TEST

START_TEST(cp_and_mv)
{
    expect(0, "", "printf v | memstore put -t a/b -m x=y k");
    expect(0, "vvcontent-type: a/b\nmetadata.x: y\n",
           "memstore cp k c && memstore get k && memstore get c && memstore info c | tail -n 2");
    expect(0, "c\nm\n", "memstore mv k m && memstore ls");
    expect(0, "v", "memstore mv m m && memstore get m");
    expect_error(1, "memstore cp k c", "\"k\"", NULL);
    expect_error(1, "memstore mv k c", "\"k\"", NULL);
    expect(0, "v", "memstore get c");
}
END_TEST

START_TEST(missing_keys_are_named)
{
    expect_error(1, "memstore get 'no such'", "\"no such\"", NULL);
    expect_error(1, "memstore info 'no such'", "\"no such\"", NULL);
    expect_error(1, "memstore rm 'no such'", "\"no such\"", NULL);
    /* bytes that would break the line or steer the terminal */
    expect_error(1, "memstore rm \"$(printf 'a\\n\\033[2J\\302\\233b')\"", "\\x1b", NULL);
}
END_TEST

START_TEST(info_tells_all)
{
    char *output;

    expect(0, "", "printf 'hello world' | memstore put -t text/plain 'a\\b'");
    output = output_of(0, "memstore info 'a\\b' | tr '\\n' '|'");
    ck_assert_ptr_eq(strstr(output, "key: a\\\\b|size: 11|modified: 20"), output);
    ck_assert_ptr_nonnull(strstr(output, "Z|version: "));
    free(output);
    expect(0, "32\n", "memstore info 'a\\b' | sed -n 's/^etag: //p' | tr -cd 0-9a-f | wc -c");
    /* same bytes, same etag */
    expect(0, "1\n",
           "printf 'hello world' | memstore put c; "
           "for k in c 'a\\b'; do memstore info \"$k\"; done | grep etag | uniq | wc -l");
}
END_TEST

START_TEST(ls_lists)
{
    expect(0, "", "for k in images/b images/a ima z D; do printf $k | memstore put $k; done");
    expect(0, "D\nima\nimages/a\nimages/b\nz\n", "memstore ls");
    expect(0, "ima\nimages/a\nimages/b\n", "memstore ls im");
    expect(0, "ima\nimages/a\n", "memstore ls -n 2 im");
    expect(0, "", "memstore ls --limit 0");
    expect(0, "", "memstore ls nothing");
    expect(0, "D\nima\n", "memstore ls -0n2 | tr '\\0' '\\n'");
}
END_TEST

START_TEST(ls_long_has_columns)
{
    expect(0, "", "printf 12345 | memstore put -t 'a\tb' x; : | memstore put -t '' y");
    expect(0, "", "printf 1 | memstore put \"$(printf 'z\\tz')\"");
    expect(0, "5 a\\tb x\n0 \"\" y\n1 - z\tz\n",
           "memstore ls -l | awk -F '\t' "
           "'{ print $1, $4, substr($0, length($1 $2 $3 $4) + 5) }'");
    expect(0, "3\n",
           "memstore ls -l | cut -f 2 | grep -c "
           "'^20..-..-..T..:..:..[.]......Z$'");
    expect(0, "1\n2\n3\n", "memstore ls -l | cut -f 3");
}
END_TEST

START_TEST(stats_are_for_people)
{
    expect(0, "", "head -c 2048 /dev/zero | memstore put k");
    expect(
        0,
        "max size:    64 MiB (67108864 bytes)\nused:        2 KiB (2048 bytes)\nobjects:     1\n",
        "memstore stats | head -n 3");
    expect(0, "20\n", "memstore stats | grep -c '^[a-z ]*:  *[0-9]'");
}
END_TEST

/* ---- JSON ---- */

START_TEST(info_as_json)
{
    json_t *info;
    char *modified;

    expect(0, "", "printf 'hello world' | memstore put -t text/plain -m a=b -m ü='\"' k");
    info = json_of("memstore info --json k");
    ck_assert_str_eq(text_in(info, "key"), "k");
    ck_assert_int_eq(number_in(info, "size"), 11);
    ck_assert_int_eq(number_in(info, "version"), 1);
    ck_assert_str_eq(text_in(info, "content_type"), "text/plain");
    ck_assert_uint_eq(strlen(text_in(info, "etag")), 32);
    ck_assert(json_is_null(json_object_get(info, "expires")));
    ck_assert_uint_eq(json_object_size(json_object_get(info, "metadata")), 2);
    ck_assert_str_eq(text_in(json_object_get(info, "metadata"), "ü"), "\"");
    /* both forms of the time are the same moment */
    modified = output_of(0, "date -u -d @%lld.%06lld +%%Y-%%m-%%dT%%H:%%M:%%S.%%6NZ",
                         number_in(info, "modified_us") / 1000000,
                         number_in(info, "modified_us") % 1000000);
    ck_assert_uint_eq(strlen(text_in(info, "modified")), 27);
    ck_assert_ptr_eq(strstr(modified, text_in(info, "modified")), modified);
    free(modified);
    json_decref(info);
}
END_TEST

START_TEST(ls_as_json)
{
    json_t *list = json_of("memstore ls --json");

    ck_assert(json_is_array(list));
    ck_assert_uint_eq(json_array_size(list), 0);
    json_decref(list);
    expect(0, "", "for k in a b c \"$(printf 'c\\n')d\"; do printf 123 | memstore put $k; done");
    list = json_of("memstore ls --json -n 2 -l");
    ck_assert_uint_eq(json_array_size(list), 2);
    ck_assert_str_eq(text_in(json_array_get(list, 1), "key"), "b");
    ck_assert_int_eq(number_in(json_array_get(list, 1), "size"), 3);
    ck_assert(json_is_null(json_object_get(json_array_get(list, 1), "content_type")));
    ck_assert_uint_eq(json_object_size(json_object_get(json_array_get(list, 1), "metadata")), 0);
    json_decref(list);
}
END_TEST

START_TEST(json_of_what_is_not_utf8)
{
    json_t *list;
    const json_t *object;
    const json_t *pair;

    expect(0, "",
           "bad=$(printf '\\377\\200\\302'); "
           "printf x | memstore put -t \"$bad\" -m \"n=$bad\" -m a=b \"$bad\"");
    list = json_of("memstore ls --json");
    object = json_array_get(list, 0);
    ck_assert(json_is_null(json_object_get(object, "key")));
    ck_assert_str_eq(text_in(object, "key_base64"), "/4DC");
    ck_assert(json_is_null(json_object_get(object, "content_type")));
    ck_assert_str_eq(text_in(object, "content_type_base64"), "/4DC");
    ck_assert_uint_eq(json_object_size(json_object_get(object, "metadata")), 1);
    pair = json_array_get(json_object_get(object, "metadata_base64"), 0);
    ck_assert_str_eq(text_in(pair, "name"), "bg==");
    ck_assert_str_eq(text_in(pair, "value"), "/4DC");
    json_decref(list);
}
END_TEST

START_TEST(json_of_a_key_with_nul)
{
    struct memstore *store = harness_open(the_daemon);

    ck_assert_int_eq(memstore_put(store, "a\0b", 3, "", 0, NULL, NULL), 0);
    memstore_close(store);
    expect(0, "a\\u0000b\n", "memstore ls --json | grep -o 'a.*b'");
    expect(0, "a_b\n", "memstore ls | tr '\\0' _");
}
END_TEST

START_TEST(stats_as_json)
{
    static const char *const names[] = {"max_memory", "memory",  "version", "buckets",   "clients",
                                        "requests",   "commits", "refused", "uptime_us", "pid"};
    json_t *stats;

    expect(0, "", "printf 123 | memstore put k");
    stats = json_of("memstore stats --json");
    ck_assert_int_eq(number_in(stats, "max_size"), 64 * MIB);
    ck_assert_int_eq(number_in(stats, "used"), 3);
    ck_assert_int_eq(number_in(stats, "objects"), 1);
    ck_assert_int_eq(number_in(stats, "pid"), the_daemon->pid);
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        number_in(stats, names[i]);
    json_decref(stats);
}
END_TEST

/* ---- refusals ---- */

START_TEST(the_quota_is_named)
{
    harness_stop(the_daemon);
    the_daemon = harness_start("--max-size", "1M", NULL);
    expect(0, "", "head -c 600000 /dev/zero > in && memstore put 'a b' in");
    expect_error(3, "memstore put c in", "Max size 1048576 would be exceeded", "\"c\"",
                 "in: ", NULL);
    expect_error(3, "memstore put c < in", "Max size 1048576 would be exceeded", "\"c\"", NULL);
    expect_error(3, "memstore cp 'a b' c", "Max size 1048576 would be exceeded", NULL);
    expect(0, "a b\n", "memstore ls");
    expect(0, "", "memstore mv 'a b' c && memstore put c in");
}
END_TEST

START_TEST(no_daemon_is_status_4)
{
    static const char *const commands[] = {"put k /dev/null", "get k",  "exists k", "rm a b", "ls",
                                           "info k",          "cp a b", "mv a b",   "stats"};
    char command[128];

    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
        snprintf(command, sizeof(command), "memstore -s %s/none %s", harness_folder, commands[i]);
        expect_error(4, command, "/none", NULL);
        snprintf(command, sizeof(command), "memstore %s -s %s/none", commands[i], harness_folder);
        expect_error(4, command, "/none", NULL);
    }
    expect(0, "", "mkdir full && : > full/file");
    expect_error(4, "memstore -s full/file stats", "full/file", NULL);
    expect_error(4, "memstore -s full/file/socket stats", "full/file/socket", NULL);
    expect_error(4,
                 "test $(id -u) != 0 || { echo memstore: as root; exit 4; }; "
                 "chmod 0 full; memstore -s full/socket stats; status=$?; chmod 700 full; "
                 "exit $status",
                 NULL);
    expect_error(5, "memstore -s $(printf %0200d 0) stats", "200", NULL);
}
END_TEST

START_TEST(a_daemon_that_is_gone_is_status_4)
{
    harness_kill(the_daemon);
    expect_error(4, "memstore stats", "socket", NULL);
}
END_TEST

START_TEST(a_daemon_that_sleeps_is_status_4)
{
    kill(the_daemon->pid, SIGSTOP);
    expect_error(4, "memstore --timeout 0.2 exists k", NULL);
    expect_error(4, "memstore exists k --timeout=0.2", NULL);
    kill(the_daemon->pid, SIGCONT);
    expect(1, "", "memstore --timeout 20 exists k");
}
END_TEST

START_TEST(nonsense_is_status_2)
{
    static const struct {
        const char *arguments;
        const char *word;
    } cases[] = {
        {"", "which command"},
        {"frobnicate", "'frobnicate'"},
        {"--frobnicate", "'--frobnicate'"},
        {"-x ls", "'-x'"},
        {"ls -x", "'-x'"},
        {"-l ls", "--long"},
        {"ls -t a/b", "--type"},
        {"ls --range 0:1", "--range"},
        {"ls --frobnicate", "no option '--frobnicate'"},
        {"ls -lx", "'-x'"},
        {"exists --json k", "--json"},
        {"put", "put needs"},
        {"put k file more", "'more'"},
        {"put --json k", "--recursive"},
        {"put --range 1:2 k f", "--range"},
        {"rm --all k", "--recursive"},
        {"get --recursive --range 0:1 p d", "--recursive"},
        {"put -m novalue k /dev/null", "'novalue'"},
        {"put -m a=1 -m a=2 k /dev/null", "'a'"},
        {"put k -t", "'-t'"},
        {"get", "get needs"},
        {"get a b c", "'c'"},
        {"get k --range", "'--range'"},
        {"get k --range 5", "'5'"},
        {"get k --range :5", "':5'"},
        {"get k --range -1:5", "'-1:5'"},
        {"get k --range 1:x", "'1:x'"},
        {"get k --range 1:2:3", "'1:2:3'"},
        {"get k --range 99999999999999999999:1", "'99999999999999999999:1'"},
        {"exists", "exists needs"},
        {"exists a b", "'b'"},
        {"rm", "rm needs"},
        {"ls a b", "'b'"},
        {"ls -n", "'-n'"},
        {"ls -n -1", "'-1'"},
        {"ls -n x", "'x'"},
        {"ls -n 1K", "'1K'"},
        {"ls -n ''", "''"},
        {"ls --json -0", "--null"},
        {"ls --json=yes", "--json"},
        {"info", "info needs"},
        {"cp a", "cp needs"},
        {"mv a", "mv needs"},
        {"mv a b c", "'c'"},
        {"url", "url needs"},
        {"stats k", "'k'"},
        {"stats -s", "'-s'"},
        {"stats --timeout 0", "'0'"},
        {"stats --timeout -1", "'-1'"},
        {"stats --timeout x", "'x'"},
        {"stats --timeout 1e9", "'1e9'"},
        {"stats --timeout 99999999999", "'99999999999'"},
    };
    char command[128];

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        snprintf(command, sizeof(command), "memstore %s", cases[i].arguments);
        expect_error(2, command, cases[i].word, "--help", NULL);
    }
}
END_TEST

START_TEST(help_teaches)
{
    static const char *const commands[] = {"put",   "get",  "exists", "rm",      "ls",    "info",
                                           "cp",    "mv",   "url",    "stats",   "touch", "wait",
                                           "watch", "lock", "once",   "holders", "add",   "top"};
    char *output = output_of(0, "memstore --help");

    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
        char *own = output_of(0, "memstore %s --help", commands[i]);
        char usage[64];

        snprintf(usage, sizeof(usage), "Usage: memstore %s", commands[i]);
        ck_assert_ptr_eq(strstr(own, usage), own);
        ck_assert_ptr_nonnull(strstr(own, "\nExamples:\n  "));
        snprintf(usage, sizeof(usage), "\n  %s ", commands[i]);
        ck_assert_ptr_nonnull(strstr(output, usage));
        free(own);
    }
    free(output);
    output = output_of(0, "memstore --version");
    ck_assert_ptr_eq(strstr(output, "memstore "), output);
    ck_assert_ptr_eq(strstr(output + 9, memstore_version()), output + 9);
    free(output);
    expect(
        0, "0\n",
        "{ memstore --help; for c in put get exists rm ls info cp mv touch add url wait watch lock "
        "once stats holders bucket 'bucket create' 'bucket drop' 'bucket ls' 'bucket info' 'bucket "
        "set'; do "
        "memstore $c -h; done; } | grep -c '.\\{101\\}' || true");
}
END_TEST

/* ---- on a terminal ---- */

/* script runs a command on a terminal of its own; what it writes goes through a file, as the
 * terminal's input must not end before the command does. */
static char *terminal_output(int status, const char *command)
{
    return output_of(status, "TERM=vt100 TZ=UTC script -qec \"%s\" /dev/null < /dev/null", command);
}

START_TEST(keys_are_escaped_on_a_terminal)
{
    char *output;

    expect(0, "", "printf 123 | memstore put \"$(printf 'a\\nb\\033\\377\\302\\233é\\\\')\"");
    output = terminal_output(0, "memstore ls");
    ck_assert_str_eq(output, "a\\nb\\x1b\\xff\\xc2\\x9bé\\\\\r\n");
    free(output);
    output = terminal_output(0, "memstore ls -l");
    ck_assert_ptr_eq(strstr(output, "      3 B  20"), output);
    ck_assert_ptr_nonnull(strstr(output, "  1  -  a\\nb\\x1b"));
    free(output);
    output = terminal_output(0, "memstore ls -0 | cat -v");
    ck_assert_ptr_nonnull(strstr(output, "M-^?"));
    free(output);
}
END_TEST

START_TEST(a_terminal_is_read_from_with_a_word)
{
    char *output = output_of(0, "printf 'typed\\n\\004' | "
                                "script -qec 'memstore put k' /dev/null; memstore get k");

    ck_assert_ptr_nonnull(strstr(output, "reading from the terminal, end with Ctrl-D"));
    ck_assert_ptr_nonnull(strstr(output, "\ntyped\n"));
    free(output);
}
END_TEST

START_TEST(a_slow_transfer_has_a_bar)
{
    char *output;

    write_file("in", MIB);
    output = terminal_output(0, "{ cat in; sleep 0.5; cat in; } | memstore put slow");
    ck_assert_msg(strstr(output, "MiB") && strstr(output, "/s  slow"), "%s", output);
    ck_assert_msg(strcmp(output + strlen(output) - 4, "\r\033[K") == 0, "the bar stays");
    free(output);
    output = terminal_output(0, "memstore get slow | { sleep 0.5; cat > out; }");
    ck_assert_msg(strstr(output, " of 2 MiB") && strchr(output, '#'), "%s", output);
    free(output);
    output = terminal_output(0, "memstore put quick in && memstore get quick > out");
    ck_assert_str_eq(output, "");
    free(output);
    expect(0, "", "{ cat in; sleep 0.5; cat in; } | memstore put slow");
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

static void add_values(Suite *suite)
{
    TCase *values = add_case(suite, "values", setup);

    tcase_add_test(values, files_come_back);
    tcase_add_test(values, a_large_file_comes_back);
    tcase_add_test(values, standard_input_continues_where_it_stands);
    tcase_add_test(values, type_and_metadata_are_kept);
    tcase_add_test(values, ranges_are_cut);
    tcase_add_test(values, input_that_cannot_be_read_changes_nothing);
    tcase_add_test(values, too_large_a_file_is_refused_at_once);
    tcase_add_test(values, an_output_file_is_replaced_as_a_whole);
    tcase_add_test(values, a_failed_get_leaves_the_file);
    tcase_add_test(values, a_signal_leaves_no_temporary_file);
    tcase_add_test(values, pipes_and_devices_are_written_directly);
    tcase_add_test(values, a_full_standard_output_is_an_error);
    tcase_add_test(values, a_reader_that_leaves_is_no_surprise);
}

static void add_commands(Suite *suite)
{
    TCase *commands = add_case(suite, "commands", setup);

    tcase_add_test(commands, keys_are_taken_literally);
    tcase_add_test(commands, keys_have_a_limit);
    tcase_add_test(commands, a_key_may_be_its_url);
    tcase_add_test(commands, exists_answers_with_its_status);
    tcase_add_test(commands, rm_goes_on_after_a_missing_key);
    tcase_add_test(commands, cp_and_mv);
    tcase_add_test(commands, missing_keys_are_named);
    tcase_add_test(commands, info_tells_all);
    tcase_add_test(commands, ls_lists);
    tcase_add_test(commands, ls_long_has_columns);
    tcase_add_test(commands, stats_are_for_people);
    tcase_add_test(commands, info_as_json);
    tcase_add_test(commands, ls_as_json);
    tcase_add_test(commands, json_of_what_is_not_utf8);
    tcase_add_test(commands, json_of_a_key_with_nul);
    tcase_add_test(commands, stats_as_json);
}

static void add_refusals(Suite *suite)
{
    TCase *refusals = add_case(suite, "refusals", setup);
    TCase *alone = add_case(suite, "without a daemon", setup_alone);
    TCase *terminal = add_case(suite, "terminal", setup);

    tcase_add_test(refusals, the_quota_is_named);
    tcase_add_test(refusals, a_daemon_that_is_gone_is_status_4);
    tcase_add_test(refusals, a_daemon_that_sleeps_is_status_4);
    tcase_add_test(alone, no_daemon_is_status_4);
    tcase_add_test(alone, nonsense_is_status_2);
    tcase_add_test(alone, help_teaches);
    tcase_add_test(alone, urls_need_no_daemon);
    tcase_add_test(terminal, keys_are_escaped_on_a_terminal);
    tcase_add_test(terminal, a_terminal_is_read_from_with_a_word);
    tcase_add_test(terminal, a_slow_transfer_has_a_bar);
}

int main(void)
{
    Suite *suite = suite_create("command");

    add_values(suite);
    add_commands(suite);
    add_refusals(suite);
    return harness_main(suite);
}
