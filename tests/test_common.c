/* The small parts that daemon, library and command share: sizes, metadata blocks, socket paths. */
#include "common/metadata.h"
#include "common/protocol.h"
#include "common/size.h"
#include "common/socket_path.h"
#include "tests/harness.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

/* ---- sizes ---- */

static const struct {
    const char *text;
    uint64_t size;
    int result;
} sizes[] = {
    {"0", 0, 0},
    {"1", 1, 0},
    {"007", 7, 0},
    {"1048576", 1048576, 0},
    {"1K", 1 << 10, 0},
    {"1k", 1 << 10, 0},
    {"64M", 64 << 20, 0},
    {"64m", 64 << 20, 0},
    {"3G", 3ULL << 30, 0},
    {"0G", 0, 0},
    {"9223372036854775807", INT64_MAX, 0},
    {"8589934591G", 8589934591ULL << 30, 0},
    {"9223372036854775808", 0, -ERANGE},
    {"18446744073709551616", 0, -ERANGE},
    {"99999999999999999999999", 0, -ERANGE},
    {"8589934592G", 0, -ERANGE},
    {"9007199254740992K", 0, -ERANGE},
    {"", 0, -EINVAL},
    {"K", 0, -EINVAL},
    {"-1", 0, -EINVAL},
    {"+1", 0, -EINVAL},
    {" 1", 0, -EINVAL},
    {"1 ", 0, -EINVAL},
    {"1 M", 0, -EINVAL},
    {"1MB", 0, -EINVAL},
    {"1MiB", 0, -EINVAL},
    {"1T", 0, -EINVAL},
    {"1.5G", 0, -EINVAL},
    {"0x10", 0, -EINVAL},
    {"ten", 0, -EINVAL},
};

START_TEST(size_is_parsed)
{
    uint64_t size = 4711;
    int r = size_parse(sizes[_i].text, &size);

    ck_assert_msg(r == sizes[_i].result, "\"%s\": %d", sizes[_i].text, r);
    ck_assert_uint_eq(size, r == 0 ? sizes[_i].size : 4711);
}
END_TEST

static const struct {
    uint64_t size;
    const char *text;
} formats[] = {
    {0, "0 B"},
    {1000, "1000 B"},
    {1023, "1023 B"},
    {1024, "1 KiB"},
    {1536, "1.5 KiB"},
    {64 << 20, "64 MiB"},
    {1000 << 20, "1000 MiB"},
    {3ULL << 29, "1.5 GiB"},
    {1ULL << 40, "1 TiB"},
    {1ULL << 50, "1 PiB"},
    {UINT64_MAX, "16 EiB"},
};

START_TEST(size_is_formatted)
{
    char text[SIZE_TEXT_MAX];

    ck_assert_str_eq(size_format(text, formats[_i].size), formats[_i].text);
}
END_TEST

/* ---- metadata ---- */

/* Appends a pair to a block; the lengths are given apart from the texts, so that they can lie. */
static size_t add_pair(uint8_t *block, size_t length, const char *name, size_t name_length,
                       const char *value, size_t value_length)
{
    struct metadata_entry entry = {.name_length = (uint16_t)name_length,
                                   .value_length = (uint16_t)value_length};

    memcpy(block + length, &entry, sizeof(entry));
    length += sizeof(entry);
    memcpy(block + length, name, name_length);
    length += name_length;
    memcpy(block + length, value, value_length);
    return length + value_length;
}

static size_t add(uint8_t *block, size_t length, const char *name, const char *value)
{
    return add_pair(block, length, name, strlen(name), value, strlen(value));
}

START_TEST(metadata_is_read_pair_by_pair)
{
    uint8_t block[256];
    const uint8_t *rest = block;
    struct metadata_pair pair;
    size_t length = add(block, 0, "", "nameless");

    length = add(block, length, "a", "");
    length = add(block, length, "ab", "value");
    ck_assert_int_eq(metadata_check(block, length), 3);
    ck_assert_int_eq(metadata_next(&rest, &length, &pair), 1);
    ck_assert_uint_eq(pair.name_length, 0);
    ck_assert_mem_eq(pair.value, "nameless", 8);
    ck_assert_int_eq(metadata_next(&rest, &length, &pair), 1);
    ck_assert_mem_eq(pair.name, "a", 1);
    ck_assert_uint_eq(pair.value_length, 0);
    ck_assert_int_eq(metadata_next(&rest, &length, &pair), 1);
    ck_assert_uint_eq(pair.name_length, 2);
    ck_assert_mem_eq(pair.name, "ab", 2);
    ck_assert_uint_eq(pair.value_length, 5);
    ck_assert_mem_eq(pair.value, "value", 5);
    ck_assert_uint_eq(length, 0);
    ck_assert_int_eq(metadata_next(&rest, &length, &pair), 0);
}
END_TEST

START_TEST(metadata_may_be_empty)
{
    ck_assert_int_eq(metadata_check((const uint8_t *)"", 0), 0);
}
END_TEST

/* Every length but the ends of pairs cuts a pair. The block has no byte more than it says, so that
 * a sanitizer sees who reads beyond. */
START_TEST(metadata_cut_off_is_refused)
{
    uint8_t whole[256];
    size_t first = add(whole, 0, "name", "value");
    size_t length = add(whole, first, "other", "text");

    for (size_t cut = 0; cut <= length; cut++) {
        uint8_t *block = malloc(cut > 0 ? cut : 1);
        int expected = cut == 0 ? 0 : cut == first ? 1 : cut == length ? 2 : -EINVAL;

        memcpy(block, whole, cut);
        ck_assert_int_eq(metadata_check(block, cut), expected);
        free(block);
    }
}
END_TEST

START_TEST(metadata_lengths_that_lie_are_refused)
{
    static const struct metadata_entry lies[] = {{65535, 0}, {0, 65535}, {65535, 65535}, {4, 1},
                                                 {1, 4},     {5, 0},     {0, 5}};
    uint8_t block[sizeof(struct metadata_entry) + 4] = {0};

    memset(block, 'x', sizeof(block));
    for (size_t i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
        const uint8_t *rest = block;
        size_t length = sizeof(block);
        struct metadata_pair pair;

        memcpy(block, &lies[i], sizeof(lies[i]));
        ck_assert_int_eq(metadata_next(&rest, &length, &pair), -EINVAL);
        ck_assert_ptr_eq(rest, block);
        ck_assert_int_eq(metadata_check(block, sizeof(block)), -EINVAL);
    }
}
END_TEST

START_TEST(metadata_names_ascend)
{
    uint8_t block[256];

    ck_assert_int_eq(metadata_check(block, add(block, add(block, 0, "a", "1"), "b", "2")), 2);
    ck_assert_int_eq(metadata_check(block, add(block, add(block, 0, "b", "1"), "a", "2")), -EINVAL);
    ck_assert_int_eq(metadata_check(block, add(block, add(block, 0, "a", "1"), "a", "2")), -EINVAL);
    ck_assert_int_eq(metadata_check(block, add(block, add(block, 0, "ab", ""), "a", "")), -EINVAL);
    ck_assert_int_eq(metadata_check(block, add(block, add(block, 0, "", "1"), "", "2")), -EINVAL);
    /* Bytes, not signed characters: é comes after z. */
    ck_assert_int_eq(metadata_check(block, add(block, add(block, 0, "z", ""), "\xc3\xa9", "")), 2);
}
END_TEST

START_TEST(metadata_has_no_nul)
{
    uint8_t block[256];

    ck_assert_int_eq(metadata_check(block, add_pair(block, 0, "a\0b", 3, "v", 1)), -EINVAL);
    ck_assert_int_eq(metadata_check(block, add_pair(block, 0, "a", 1, "v\0w", 3)), -EINVAL);
    ck_assert_int_eq(metadata_check(block, add_pair(block, 0, "a", 1, "\0", 1)), -EINVAL);
}
END_TEST

START_TEST(metadata_compares_bytes)
{
    ck_assert_int_eq(metadata_compare("", 0, "", 0), 0);
    ck_assert_int_eq(metadata_compare("abc", 3, "abc", 3), 0);
    ck_assert_int_lt(metadata_compare("ab", 2, "abc", 3), 0);
    ck_assert_int_gt(metadata_compare("abc", 3, "ab", 2), 0);
    ck_assert_int_lt(metadata_compare("", 0, "a", 1), 0);
    ck_assert_int_lt(metadata_compare("abz", 3, "b", 1), 0);
    ck_assert_int_gt(metadata_compare("\xff", 1, "a", 1), 0);
    ck_assert_int_lt(metadata_compare("a\0a", 3, "a\0b", 3), 0);
}
END_TEST

/* ---- socket paths ---- */

START_TEST(socket_variable_comes_first)
{
    char path[SOCKET_PATH_SIZE];

    setenv("MEMSTORE_SOCKET", "/somewhere/else", 1);
    setenv("XDG_RUNTIME_DIR", "/run/user/4711", 1);
    ck_assert_int_eq(socket_path_default(path), 0);
    ck_assert_str_eq(path, "/somewhere/else");
}
END_TEST

START_TEST(socket_variable_may_be_empty)
{
    char path[SOCKET_PATH_SIZE];

    setenv("MEMSTORE_SOCKET", "", 1);
    setenv("XDG_RUNTIME_DIR", "/run/user/4711", 1);
    ck_assert_int_eq(socket_path_default(path), 0);
    ck_assert_str_eq(path,
                     geteuid() == 0 ? "/run/memstore/socket" : "/run/user/4711/memstore/socket");
}
END_TEST

/* Only root can become somebody else, who then has no folder of a session. */
START_TEST(socket_of_a_user)
{
    char path[SOCKET_PATH_SIZE];

    if (geteuid() != 0) {
        harness_skip("socket_of_a_user", "not root");
        return;
    }
    ck_assert_int_eq(seteuid(61234), 0);
    unsetenv("MEMSTORE_SOCKET");
    setenv("XDG_RUNTIME_DIR", "/tmp/x", 1);
    ck_assert_int_eq(socket_path_default(path), 0);
    ck_assert_str_eq(path, "/tmp/x/memstore/socket");
    unsetenv("XDG_RUNTIME_DIR");
    ck_assert_int_eq(socket_path_default(path), -ENOENT);
    /* Whoever changed identity can not be looked into, not even by its own leak check. */
    ck_assert_int_eq(seteuid(0), 0);
    ck_assert_int_eq(prctl(PR_SET_DUMPABLE, 1), 0);
}
END_TEST

/* A path with `length` bytes. */
static char *long_path(size_t length)
{
    char *path = malloc(length + 1);

    memset(path, 'x', length);
    path[0] = '/';
    path[length] = '\0';
    return path;
}

START_TEST(socket_path_is_never_cut)
{
    char path[SOCKET_PATH_SIZE];
    char *fits = long_path(SOCKET_PATH_SIZE - 1);
    char *long_one = long_path(SOCKET_PATH_SIZE);

    setenv("MEMSTORE_SOCKET", fits, 1);
    ck_assert_int_eq(socket_path_default(path), 0);
    ck_assert_str_eq(path, fits);
    setenv("MEMSTORE_SOCKET", long_one, 1);
    ck_assert_int_eq(socket_path_default(path), -ENAMETOOLONG);
    free(fits);
    free(long_one);
}
END_TEST

START_TEST(socket_address_of_a_path)
{
    struct sockaddr_un address;
    char *fits = long_path(SOCKET_PATH_SIZE - 1);
    char *long_one = long_path(SOCKET_PATH_SIZE);

    ck_assert_int_eq(socket_path_address("/a/b", &address), 0);
    ck_assert_int_eq(address.sun_family, AF_UNIX);
    ck_assert_str_eq(address.sun_path, "/a/b");
    ck_assert_int_eq(socket_path_address(fits, &address), 0);
    ck_assert_str_eq(address.sun_path, fits);
    ck_assert_int_eq(socket_path_address(long_one, &address), -ENAMETOOLONG);
    ck_assert_int_eq(socket_path_address("", &address), -EINVAL);
    ck_assert_str_eq(address.sun_path, fits); /* untouched */
    free(fits);
    free(long_one);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("common");
    TCase *size = tcase_create("size");
    TCase *metadata = tcase_create("metadata");
    TCase *path = tcase_create("socket path");

    tcase_add_loop_test(size, size_is_parsed, 0, sizeof(sizes) / sizeof(sizes[0]));
    tcase_add_loop_test(size, size_is_formatted, 0, sizeof(formats) / sizeof(formats[0]));
    suite_add_tcase(suite, size);
    tcase_add_test(metadata, metadata_is_read_pair_by_pair);
    tcase_add_test(metadata, metadata_may_be_empty);
    tcase_add_test(metadata, metadata_cut_off_is_refused);
    tcase_add_test(metadata, metadata_lengths_that_lie_are_refused);
    tcase_add_test(metadata, metadata_names_ascend);
    tcase_add_test(metadata, metadata_has_no_nul);
    tcase_add_test(metadata, metadata_compares_bytes);
    suite_add_tcase(suite, metadata);
    tcase_add_test(path, socket_variable_comes_first);
    tcase_add_test(path, socket_variable_may_be_empty);
    tcase_add_test(path, socket_of_a_user);
    tcase_add_test(path, socket_path_is_never_cut);
    tcase_add_test(path, socket_address_of_a_path);
    suite_add_tcase(suite, path);
    return harness_main(suite);
}
