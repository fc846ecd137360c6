/* What top shows, without a terminal; and spans of time, and numbers, as people read them. */
#include "cli/duration.h"
#include "cli/picture.h"
#include "cli/quantity.h"
#include "cli/top_lines.h"
#include "tests/harness.h"

#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- numbers ---- */

START_TEST(durations_are_read)
{
    static const struct {
        const char *text;
        int64_t milliseconds;
    } cases[] = {
        {"500ms", 500},
        {"30s", 30000},
        {"5m", 300000},
        {"2h", 7200000},
        {"1d", 86400000},
        {"7", 7000},
        {"0.5", 500},
        {"1.5h", 5400000},
        {"0.0001s", 1},
        {"0", 0},
        {"0ms", 0},
        {".5s", 500},
        {"0.29s", 290},
        {"1.", 1000},
        {"0.6ms", 1},
        {"9007199254740992ms", 1LL << 53},
        {"104249991d", 104249991LL * 86400000},
    };
    static const char *const wrong[] = {"",     "s",   "x",   "5 s", "-1", "+1",   "1e3",
                                        "1..2", "5mm", "5S",  "5sm", " 5", "5 ",   ".",
                                        "0x5",  "inf", "nan", "5µs", "5w", "1,5s", "ms"};
    int64_t milliseconds;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        ck_assert_msg(duration_parse(cases[i].text, &milliseconds) == 0, "%s", cases[i].text);
        ck_assert_int_eq(milliseconds, cases[i].milliseconds);
    }
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        ck_assert_msg(duration_parse(wrong[i], &milliseconds) == -EINVAL, "%s", wrong[i]);
    ck_assert_int_eq(duration_parse("9007199254740994ms", &milliseconds), -ERANGE);
    ck_assert_int_eq(duration_parse("104249992d", &milliseconds), -ERANGE);
    ck_assert_int_eq(duration_parse("99999999999999999999999999999999999", &milliseconds), -ERANGE);
}
END_TEST

START_TEST(durations_are_written_so_that_they_can_be_read)
{
    static const int64_t cases[] = {1, 999, 1000, 1500, 60000, 61000, 5400000, 86400000, 1LL << 53};
    char text[DURATION_TEXT_MAX];
    int64_t again;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        ck_assert_int_eq(duration_parse(duration_format(text, cases[i]), &again), 0);
        ck_assert_int_eq(again, cases[i]);
    }
    ck_assert_str_eq(duration_format(text, 90000), "90s");
    ck_assert_str_eq(duration_format(text, 172800000), "2d");
}
END_TEST

START_TEST(quantities_are_short)
{
    static const struct {
        double number;
        const char *text;
    } cases[] = {
        {0, "0"},
        {0.04, "0.0"},
        {3.44, "3.4"},
        {3, "3"},
        {9.96, "10"},
        {12345, "12345"},
        {99999.4, "99999"},
        {99999.6, "100k"},
        {123456, "123k"},
        {1234567, "1.2M"},
        {99960000, "100M"},
        {999400000, "999M"},
        {999600000, "1.0G"},
        {1.5e12, "1.5T"},
    };
    char text[QUANTITY_TEXT_MAX];

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        ck_assert_str_eq(quantity_format(text, cases[i].number), cases[i].text);
    for (uint64_t number = 1; number < UINT64_C(10000000000000000); number += 1 + number / 16)
        ck_assert_msg(strlen(quantity_format(text, (double)number)) <= 6, "%s", text);
}
END_TEST

/* ---- pictures ---- */

#define BUCKETS 3

static struct memstore_bucket_info bucket(const char *name, uint64_t used, uint64_t puts,
                                          uint64_t hits, uint64_t misses)
{
    struct memstore_bucket_info info = {.max_size = UINT64_MAX,
                                        .max_objects = UINT64_MAX,
                                        .used = used,
                                        .puts = puts,
                                        .hits = hits,
                                        .misses = misses};

    snprintf(info.name, sizeof(info.name), "%s", name);
    return info;
}

/* A sample after so many seconds. */
static struct sample sample_of(double seconds, struct memstore_bucket_info *buckets, size_t count)
{
    return (struct sample){
        .moment = 1 + (int64_t)(seconds * 1e9),
        .stats = {.pid = 1, .uptime = (uint64_t)(seconds * 1e6), .max_size = UINT64_MAX},
        .buckets = buckets,
        .bucket_count = count,
    };
}

START_TEST(rates_are_between_two_samples)
{
    struct memstore_bucket_info old[] = {bucket("a", 1, 10, 0, 0), bucket("gone", 1, 5, 5, 5),
                                         bucket("same", 1, 100, 100, 100)};
    struct memstore_bucket_info new[] = {bucket("a", 1, 30, 60, 20), bucket("fresh", 1, 8, 0, 0),
                                         bucket("same", 1, 2, 0, 0)};
    struct sample before = sample_of(1, old, 3);
    struct sample now = sample_of(3, new, 3);
    struct picture picture;

    before.stats.requests = 100;
    now.stats.requests = 300;
    ck_assert_int_eq(picture_init(&picture, &before, &now), 0);
    ck_assert(picture.has_rates);
    ck_assert(picture.requests > 99.9 && picture.requests < 100.1);
    ck_assert(picture.rows[0].puts > 9.9 && picture.rows[0].puts < 10.1);
    ck_assert(bucket_row_hit_rate(&picture.rows[0]) > 0.74);
    ck_assert(bucket_row_hit_rate(&picture.rows[0]) < 0.76);
    ck_assert(bucket_row_hit_rate(&picture.rows[1]) < 0);
    /* new, and made anew under the same name */
    ck_assert(picture.rows[1].puts > 3.9 && picture.rows[1].puts < 4.1);
    ck_assert(picture.rows[2].puts > 0.9 && picture.rows[2].puts < 1.1);
    picture_finish(&picture);
}
END_TEST

START_TEST(another_daemon_gives_no_rates)
{
    struct memstore_bucket_info some[] = {bucket("a", 1, 10, 0, 0)};
    struct sample nothing = {0};
    struct sample before = sample_of(1, some, 1);
    struct sample now = sample_of(3, some, 1);
    struct picture picture;

    ck_assert_int_eq(picture_init(&picture, &nothing, &now), 0);
    ck_assert(!picture.has_rates);
    picture_finish(&picture);
    before.stats.pid = 2;
    ck_assert_int_eq(picture_init(&picture, &before, &now), 0);
    ck_assert(!picture.has_rates && picture.rows[0].puts == 0);
    picture_finish(&picture);
    before.stats.pid = 1;
    before.stats.uptime = now.stats.uptime + 1;
    ck_assert_int_eq(picture_init(&picture, &before, &now), 0);
    ck_assert(!picture.has_rates);
    picture_finish(&picture);
}
END_TEST

static void expect_order(struct picture *picture, enum picture_order order, const char *names)
{
    char got[64] = "";

    picture_sort(picture, order);
    for (size_t i = 0; i < picture->row_count; i++)
        strcat(got, picture->rows[i].info->name);
    ck_assert_str_eq(got, names);
}

START_TEST(rows_are_sorted)
{
    struct memstore_bucket_info old[] = {bucket("a", 0, 0, 0, 0), bucket("b", 0, 0, 0, 0),
                                         bucket("c", 0, 0, 0, 0), bucket("d", 0, 0, 0, 0)};
    struct memstore_bucket_info new[] = {bucket("a", 5, 0, 2, 0), bucket("b", 9, 1, 0, 0),
                                         bucket("c", 5, 0, 0, 0), bucket("d", 7, 0, 0, 3)};
    struct sample before = sample_of(1, old, 4);
    struct sample now = sample_of(2, new, 4);
    struct picture picture;

    ck_assert_int_eq(picture_init(&picture, &before, &now), 0);
    expect_order(&picture, PICTURE_BY_SIZE, "bdac");
    expect_order(&picture, PICTURE_BY_RATE, "dabc");
    expect_order(&picture, PICTURE_BY_NAME, "abcd");
    picture_finish(&picture);
}
END_TEST

/* ---- lines ---- */

struct seen {
    int width;
    int lines;
    char text[64][LINES_WIDTH_MAX + 1];
};

static void see(void *context, enum line_style style, const char *text)
{
    struct seen *seen = context;

    (void)style;
    ck_assert_int_le((int)strlen(text), seen->width);
    ck_assert_int_lt(seen->lines, 64);
    strcpy(seen->text[seen->lines++], text);
}

static bool has_line(const struct seen *seen, const char *word)
{
    for (int i = 0; i < seen->lines; i++) {
        if (strstr(seen->text[i], word))
            return true;
    }
    return false;
}

static struct memstore_bucket_info many[20];
static struct memstore_holder holders[10];

static void many_init(struct picture *picture, struct sample *sample)
{
    static const struct sample nothing;
    char name[8];

    for (int i = 0; i < 20; i++) {
        snprintf(name, sizeof(name), "b%02d", i);
        many[i] = bucket(name, 1000, 0, 0, 0);
    }
    for (uint32_t i = 0; i < 10; i++)
        holders[i] = (struct memstore_holder){.pid = 100 + i, .name = "prog\303\274\033"};
    *sample = sample_of(1, many, 20);
    sample->holders = holders;
    sample->holder_count = 10;
    ck_assert_int_eq(picture_init(picture, &nothing, sample), 0);
}

START_TEST(lines_fit_into_any_terminal)
{
    struct sample sample;
    struct picture picture;

    many_init(&picture, &sample);
    for (int width = 1; width < 180; width++) {
        for (int height = 1; height < 50; height += 1 + width / 20) {
            struct seen seen = {.width = width};
            struct top_view view = {.width = width, .height = height, .scroll = 1000};

            lines_emit(&picture, &view, see, &seen);
            ck_assert_int_eq(seen.lines, height);
        }
    }
    picture_finish(&picture);
}
END_TEST

START_TEST(there_is_room_for_what_matters)
{
    struct seen seen = {.width = 80};
    struct top_view view = {.width = 80, .height = 24};
    struct sample sample;
    struct picture picture;

    many_init(&picture, &sample);
    lines_emit(&picture, &view, see, &seen);
    ck_assert(has_line(&seen, "b00") && has_line(&seen, "b09") && !has_line(&seen, "b19"));
    ck_assert(has_line(&seen, "  100 ") && !has_line(&seen, "  109 "));
    ck_assert(has_line(&seen, "HIT %") && !has_line(&seen, "MAX OBJ"));
    ck_assert(has_line(&seen, "prog\303\274\\x1b"));
    ck_assert_ptr_nonnull(strstr(seen.text[23], "q quit"));
    /* scrolled beyond the end, the last ones are there */
    view.scroll = 1000;
    seen.lines = 0;
    lines_emit(&picture, &view, see, &seen);
    ck_assert(!has_line(&seen, "b00") && has_line(&seen, "b19"));
    ck_assert_uint_lt(view.scroll, 20);
    /* without a screen, all is */
    seen = (struct seen){.width = lines_full_width(&picture)};
    view = (struct top_view){.width = seen.width};
    lines_emit(&picture, &view, see, &seen);
    ck_assert(has_line(&seen, "b00") && has_line(&seen, "b19") && has_line(&seen, "  109 "));
    ck_assert(has_line(&seen, "MAX OBJ") && !has_line(&seen, "q quit"));
    picture_finish(&picture);
}
END_TEST

START_TEST(a_problem_stands_above)
{
    struct seen seen = {.width = 80};
    struct top_view view = {.width = 80, .height = 24, .problem = "no answer: gone"};
    struct sample sample;
    struct picture picture;

    many_init(&picture, &sample);
    lines_emit(&picture, &view, see, &seen);
    ck_assert_str_eq(seen.text[0], "no answer: gone");
    ck_assert(has_line(&seen, "b00"));
    picture_finish(&picture);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("picture");
    TCase *tcase = tcase_create("picture");

    tcase_add_test(tcase, durations_are_read);
    tcase_add_test(tcase, durations_are_written_so_that_they_can_be_read);
    tcase_add_test(tcase, quantities_are_short);
    tcase_add_test(tcase, rates_are_between_two_samples);
    tcase_add_test(tcase, another_daemon_gives_no_rates);
    tcase_add_test(tcase, rows_are_sorted);
    tcase_add_test(tcase, lines_fit_into_any_terminal);
    tcase_add_test(tcase, there_is_room_for_what_matters);
    tcase_add_test(tcase, a_problem_stands_above);
    suite_add_tcase(suite, tcase);
    return harness_main(suite);
}
