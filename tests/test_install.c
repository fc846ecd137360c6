/* What `make install` leaves, as a stranger's program meets it. */
#include "tests/harness.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PREFIX "/opt/memstore" /* not one that pkg-config takes for the system's own */

static char root[80];   /* what / is for the installed files */
static char prefix[96]; /* where PREFIX is then */

/* Check cannot take messages as long as a compiler's. */
static void check_status(const char *command, int status, const char *output)
{
    if (status != 0)
        fprintf(stderr, "%s\n", output);
    ck_assert_msg(status == 0, "%s\nexit status %d", command, status);
}

/* Runs a command with the means to use the installed tree; returns what it wrote. */
static char *shell(const struct harness_daemon *daemon, const char *command)
{
    const char *sanitizers = getenv("SAN");
    char *output;
    int status =
        harness_shell(daemon, &output,
                      "set -e; export ROOT=%s AT=%s SAN='%s' LD_LIBRARY_PATH=%s/lib\n"
                      "export PKG_CONFIG_PATH=$AT/lib/pkgconfig PKG_CONFIG_SYSROOT_DIR=$ROOT\n"
                      "case ${CC:=cc} in *clang*) CXX=clang++ ;; *) CXX=g++ ;; esac\n"
                      "flags=\"-Wall -Wextra -Werror ${SAN:+-fsanitize=$SAN}\"\n"
                      "%s",
                      root, prefix, sanitizers ? sanitizers : "", prefix, command);

    check_status(command, status, output);
    return output;
}

static void expect(const struct harness_daemon *daemon, const char *command, const char *expected)
{
    char *output = shell(daemon, command);

    ck_assert_msg(strcmp(output, expected) == 0, "%s\nwrote:\n%s\nand not:\n%s", command, output,
                  expected);
    free(output);
}

static void write_file(const char *name, const char *text)
{
    char path[128];
    FILE *file;

    snprintf(path, sizeof(path), "%s/%s", harness_folder, name);
    file = fopen(path, "we");
    ck_assert_ptr_nonnull(file);
    ck_assert_int_ge(fputs(text, file), 0);
    ck_assert_int_eq(fclose(file), 0);
}

/* make gets nothing of the make that runs the tests, whose job server it could not use. */
static void setup(void)
{
    const char *sanitizers = getenv("SAN");
    const char *compiler = getenv("CC");
    char *output;
    int status;

    harness_setup();
    snprintf(root, sizeof(root), "%s/root", harness_folder);
    snprintf(prefix, sizeof(prefix), "%s" PREFIX, root);
    status = harness_shell(NULL, &output,
                           "env -u MAKEFLAGS -u MFLAGS -u MAKELEVEL make --no-print-directory "
                           "install DESTDIR=%s PREFIX=" PREFIX " BUILD='%s' SAN='%s' CC='%s'",
                           root, harness_build(), sanitizers ? sanitizers : "",
                           compiler ? compiler : "cc");
    check_status("make install", status, output);
    free(output);
}

START_TEST(leaves_every_file)
{
    expect(
        NULL,
        "cd $AT; for file in bin/memstored bin/memstore include/memstore.h lib/libmemstore.a \\\n"
        "    lib/libmemstore.so.1 lib/libmemstore.so lib/pkgconfig/libmemstore.pc \\\n"
        "    lib/systemd/system/memstored.service lib/systemd/system/memstored.socket \\\n"
        "    lib/systemd/user/memstored.service lib/systemd/user/memstored.socket \\\n"
        "    lib/sysusers.d/memstore.conf share/man/man1/memstore.1 \\\n"
        "    share/man/man3/libmemstore.3 share/man/man7/memstore-protocol.7 \\\n"
        "    share/man/man8/memstored.8; do\n"
        "    test -f $file || echo \"$file is missing\"; done\n"
        "find $ROOT -path $AT -prune -o -type f -print",
        "");
}
END_TEST

START_TEST(leaves_no_placeholder)
{
    expect(NULL, "grep -rIl '@[A-Z]*@' $ROOT || true", "");
    expect(NULL, "grep -h ^ExecStart= $AT/lib/systemd/*/memstored.service",
           "ExecStart=" PREFIX "/bin/memstored\nExecStart=" PREFIX "/bin/memstored\n");
}
END_TEST

START_TEST(installed_programs_are_of_one_version)
{
    char expected[128];

    snprintf(expected, sizeof(expected), "memstored %s\nmemstore %s\n%s\n%s\n", memstore_version(),
             memstore_version(), memstore_version(), memstore_version());
    expect(NULL,
           "$AT/bin/memstored --version; $AT/bin/memstore --version\n"
           "pkg-config --modversion libmemstore\n"
           "readlink $AT/lib/libmemstore.so.1 | sed 's/^libmemstore.so.//'",
           expected);
}
END_TEST

/* The program that the README shows. */
#define README_PROGRAM "awk '/^```c$/ {on = 1; next} /^```/ {on = 0} on' README.md"

START_TEST(c_program_runs_with_the_shared_library)
{
    struct harness_daemon *daemon = harness_start(NULL);
    char command[1024];

    snprintf(command, sizeof(command),
             README_PROGRAM
             " > %s/hello.c; cd %s\n"
             "$CC $flags -o hello hello.c $(pkg-config --cflags --libs libmemstore)\n"
             "readelf -d hello | grep -o 'libmemstore.*[0-9]'; ./hello",
             harness_folder, harness_folder);
    expect(daemon, command, "libmemstore.so.1\nhello\n");
    ck_assert_int_eq(harness_stop(daemon), 0);
}
END_TEST

START_TEST(c_program_runs_with_the_static_library)
{
    struct harness_daemon *daemon = harness_start(NULL);
    char command[1024];

    snprintf(
        command, sizeof(command),
        README_PROGRAM
        " > %s/hello.c; cd %s\n"
        "libs=$(pkg-config --static --libs libmemstore | sed 's/-lmemstore/-l:libmemstore.a/')\n"
        "$CC $flags -o hello hello.c $(pkg-config --cflags libmemstore) $libs\n"
        "readelf -d hello | grep -o 'libmemstore.*[0-9]' || true; ./hello",
        harness_folder, harness_folder);
    expect(daemon, command, "hello\n");
    ck_assert_int_eq(harness_stop(daemon), 0);
}
END_TEST

static const char cpp_program[] =
    "#include <memstore.h>\n"
    "#include <iostream>\n"
    "#include <string>\n"
    "int main()\n"
    "{\n"
    "    memstore *store = nullptr;\n"
    "    memstore_object *object = nullptr;\n"
    "    memstore_metadata metadata = {\"language\", \"C++\"};\n"
    "    memstore_put_options options = {};\n"
    "    std::string key = \"greeting\", value = \"hello from \";\n"
    "    options.size = sizeof(options);\n"
    "    options.content_type = \"text/plain\";\n"
    "    options.metadata = &metadata;\n"
    "    options.metadata_count = 1;\n"
    "    if (memstore_open(nullptr, &store) < 0 ||\n"
    "        memstore_put(store, key.data(), key.size(), value.data(), value.size(), &options,\n"
    "                     nullptr) < 0 ||\n"
    "        memstore_get(store, key.data(), key.size(), 0, MEMSTORE_TO_END, &object) < 0) {\n"
    "        std::cerr << memstore_message() << std::endl;\n"
    "        return 1;\n"
    "    }\n"
    "    std::cout << static_cast<const char *>(memstore_object_value(object, nullptr))\n"
    "              << memstore_object_metadata(object, \"language\") << std::endl;\n"
    "    memstore_object_free(object);\n"
    "    memstore_close(store);\n"
    "}\n";

START_TEST(cpp_program_runs_with_both_libraries)
{
    struct harness_daemon *daemon = harness_start(NULL);
    char command[1024];

    write_file("hello.cc", cpp_program);
    snprintf(
        command, sizeof(command),
        "cd %s; cflags=\"$flags -pedantic $(pkg-config --cflags libmemstore)\"\n"
        "$CXX $cflags -o shared hello.cc $(pkg-config --libs libmemstore); ./shared\n"
        "libs=$(pkg-config --static --libs libmemstore | sed 's/-lmemstore/-l:libmemstore.a/')\n"
        "$CXX $cflags -o static hello.cc $libs; ./static",
        harness_folder);
    expect(daemon, command, "hello from C++\nhello from C++\n");
    ck_assert_int_eq(harness_stop(daemon), 0);
}
END_TEST

/* The header is complete and clean by itself, in each language and with every warning. */
START_TEST(header_compiles_alone)
{
    expect(NULL,
           "cd $ROOT\n"
           "for standard in c99 c11 c17; do\n"
           "    $CC -std=$standard -Wall -Wextra -Wpedantic -Wundef -Werror -fsyntax-only -x c \\\n"
           "        $AT/include/memstore.h; done\n"
           "for standard in c++11 c++17; do\n"
           "    $CXX -std=$standard -Wall -Wextra -Wpedantic -Wundef -Werror -fsyntax-only \\\n"
           "        -x c++ $AT/include/memstore.h; done 2>&1 | grep -v 'pragma once' || true",
           "");
}
END_TEST

/* One name a line, sorted: what the header declares. The preprocessor drops the comments. */
#define DECLARED                                                                             \
    "$CC -E -P $AT/include/memstore.h | tr '\\n' ' ' | grep -o 'memstore_[a-z_0-9]* *(' |\n" \
    "    tr -d ' (' | sort > $ROOT/declared\n"                                               \
    "test $(wc -l < $ROOT/declared) -gt 20\n"

START_TEST(shared_library_exports_what_is_declared)
{
    expect(NULL,
           DECLARED
           "nm -D --defined-only $AT/lib/libmemstore.so.1 | awk '$2 != \"A\" {print $3}' |\n"
           "    sed 's/@.*//' | sort > $ROOT/exported\n"
           "diff $ROOT/declared $ROOT/exported",
           "");
}
END_TEST

START_TEST(static_library_exports_what_is_declared)
{
    expect(NULL,
           DECLARED
           "nm -g --defined-only $AT/lib/libmemstore.a | awk 'NF == 3 {print $3}' | sort \\\n"
           "    > $ROOT/exported\n"
           "diff $ROOT/declared $ROOT/exported",
           "");
}
END_TEST

START_TEST(every_function_has_a_manual_page)
{
    expect(NULL,
           DECLARED
           "while read -r name; do page=$AT/share/man/man3/$name.3\n"
           "    target=$(sed -n \"s,^\\.so ,$AT/share/man/,p\" $page)\n"
           "    grep -q \"^\\.Nm $name\" ${target:-$page} || echo \"$name is not in $page\"\n"
           "done < $ROOT/declared",
           "");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("install");
    TCase *tree = tcase_create("tree");
    TCase *programs = tcase_create("programs");
    TCase *names = tcase_create("names");

    tcase_add_checked_fixture(tree, setup, harness_teardown);
    tcase_add_test(tree, leaves_every_file);
    tcase_add_test(tree, leaves_no_placeholder);
    tcase_add_test(tree, installed_programs_are_of_one_version);
    suite_add_tcase(suite, tree);

    tcase_add_checked_fixture(programs, setup, harness_teardown);
    tcase_add_test(programs, c_program_runs_with_the_shared_library);
    tcase_add_test(programs, c_program_runs_with_the_static_library);
    tcase_add_test(programs, cpp_program_runs_with_both_libraries);
    tcase_add_test(programs, header_compiles_alone);
    suite_add_tcase(suite, programs);

    tcase_add_checked_fixture(names, setup, harness_teardown);
    tcase_add_test(names, shared_library_exports_what_is_declared);
    tcase_add_test(names, static_library_exports_what_is_declared);
    tcase_add_test(names, every_function_has_a_manual_page);
    suite_add_tcase(suite, names);
    return harness_main(suite);
}
