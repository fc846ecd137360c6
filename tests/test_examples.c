/* The worked examples run, and leave nothing behind. */
#include "tests/harness.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct harness_daemon *the_daemon;

static void setup(void)
{
    harness_setup();
    the_daemon = harness_start("--max-size", "64M", NULL);
}

/* What the example says. Afterwards there is only the default bucket, and nothing is in it. */
static char *run_example(const char *name)
{
    struct memstore *store = harness_open(the_daemon);
    struct memstore_stats stats;
    char *output;
    int status =
        harness_shell(the_daemon, &output, "%s/examples/%s 2>/dev/null", harness_build(), name);

    ck_assert_msg(status == 0, "%s: exit status %d: %s", name, status, output);
    stats = harness_stats(store);
    ck_assert_uint_eq(stats.buckets, 1);
    ck_assert_uint_eq(stats.objects, 0);
    ck_assert_uint_eq(stats.used, 0);
    memstore_close(store);
    return output;
}

START_TEST(workers_share_a_scratch_store)
{
    char *output = run_example("scratch");

    ck_assert_str_eq(output, "4 workers, 1 killed, 400 cases, 0 corners left\n");
    free(output);
}
END_TEST

START_TEST(processes_share_a_cache)
{
    unsigned long long rendered, evicted, used, max;
    char *output = run_example("cache");

    ck_assert_int_eq(sscanf(output,
                            "4 processes, 8000 requests: %llu pages rendered, %llu made room, "
                            "%llu bytes of %llu",
                            &rendered, &evicted, &used, &max),
                     4);
    ck_assert_uint_le(used, max);
    ck_assert_uint_gt(rendered, 100);  /* more than fit, so others had to go, */
    ck_assert_uint_lt(rendered, 4000); /* and yet most were found */
    ck_assert_uint_gt(evicted, 0);
    ck_assert_uint_le(rendered - evicted, 100);
    free(output);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("examples");
    TCase *examples = tcase_create("examples");

    tcase_add_checked_fixture(examples, setup, harness_teardown);
    tcase_set_timeout(examples, 60);
    tcase_add_test(examples, workers_share_a_scratch_store);
    tcase_add_test(examples, processes_share_a_cache);
    suite_add_tcase(suite, examples);
    return harness_main(suite);
}
