/* What a bucket that evicts keeps, beside one that knows exactly what was used least recently. */
#include "daemon/store.h"
#include "harness.h"
#include "protocol.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KEYS 50000
#define SCANNED (10 * CACHE) /* keys that come once */
#define CACHE (KEYS / 10)
#define EXPONENT 0.99

static struct store *store;
static uint32_t bucket;

/* The exact one: keys in the order of their uses, in a ring whose KEYS + SCANNED is its head. */
static struct exact {
    uint32_t before[KEYS + SCANNED + 1];
    uint32_t behind[KEYS + SCANNED + 1];
    bool has[KEYS + SCANNED];
    uint32_t count;
} exact;

#define HEAD (KEYS + SCANNED)

static double shares[KEYS];             /* of the keys up to each, in all uses */
static uint32_t places[KEYS + SCANNED]; /* of keys in their order, by how often they are used */
static uint64_t random_state;

static void setup(void)
{
    const struct store_limits limits = {.max_size = STORE_NO_LIMIT, .max_memory = 256 << 20};
    const struct bucket_settings settings = {
        .max_size = NO_LIMIT, .max_objects = CACHE, .policy = POLICY_LRU};
    const struct store_bucket_name name = {.text = "cache", .length = 5};

    harness_setup();
    ck_assert_int_eq(store_open(harness_folder, &limits, &store), 0);
    ck_assert_int_eq(store_bucket_create(store, &name, &settings, 0), 0);
    ck_assert_int_eq(store_bucket_find(store, &name, &bucket), 0);
}

static void teardown(void)
{
    store_close(store);
    harness_teardown();
}

static double random_part(void)
{
    random_state = random_state * 6364136223846793005U + 1442695040888963407U;
    return (double)(random_state >> 11) / (double)(UINT64_C(1) << 53);
}

/* ---- the trace ---- */

static void make_trace(void)
{
    double sum = 0;

    for (uint32_t i = 0; i < KEYS; i++)
        shares[i] = sum += pow(i + 1, -EXPONENT);
    for (uint32_t i = 0; i < KEYS; i++)
        shares[i] /= sum;
    for (uint32_t i = 0; i < KEYS + SCANNED; i++)
        places[i] = i;
    for (uint32_t i = KEYS + SCANNED - 1; i > 0; i--) {
        uint32_t other = (uint32_t)(random_part() * (i + 1));
        uint32_t place = places[i];

        places[i] = places[other];
        places[other] = place;
    }
}

/* A key, of which few come often. */
static uint32_t next_key(void)
{
    double part = random_part();
    uint32_t low = 0, high = KEYS - 1;

    while (low < high) {
        uint32_t middle = (low + high) / 2;

        if (shares[middle] < part)
            low = middle + 1;
        else
            high = middle;
    }
    return places[low];
}

/* ---- the caches ---- */

static void exact_take_out(uint32_t key)
{
    exact.behind[exact.before[key]] = exact.behind[key];
    exact.before[exact.behind[key]] = exact.before[key];
}

static bool exact_use(uint32_t key)
{
    bool hit = exact.has[key];

    if (hit) {
        exact_take_out(key);
    } else if (exact.count == CACHE) {
        exact.has[exact.before[HEAD]] = false;
        exact_take_out(exact.before[HEAD]);
    } else {
        exact.count++;
    }
    exact.has[key] = true;
    exact.before[key] = HEAD;
    exact.behind[key] = exact.behind[HEAD];
    exact.before[exact.behind[HEAD]] = key;
    exact.behind[HEAD] = key;
    return hit;
}

/* A read, and a put where it finds nothing. */
static bool store_use_key(uint32_t number)
{
    const struct record attributes = {.size = 8, .type_length = NO_CONTENT_TYPE};
    const struct store_terms terms = {.ttl = TTL_NEVER};
    struct record record;
    char text[16];
    struct store_key key = {.bucket = bucket, .data = text};
    int r;

    key.length = (size_t)snprintf(text, sizeof(text), "%08u", (unsigned)number);
    r = store_get(store, &key, &record, NULL);
    if (r == 0) {
        store_use(store, &key);
        return true;
    }
    ck_assert_int_eq(r, -ENOENT);
    while ((r = store_put(store, &key, &attributes, &terms, "12345678", &record)) == -EAGAIN ||
           r == -EINPROGRESS)
        ck_assert_int_eq(store_commit(store), 0);
    ck_assert_int_eq(r, 0);
    return false;
}

/* Uses of both, and their hits. */
struct hits {
    unsigned uses, exact, store;
};

static void use(struct hits *hits, uint32_t key)
{
    hits->uses++;
    hits->exact += exact_use(key);
    hits->store += store_use_key(key);
    if (hits->uses % 64 == 0)
        ck_assert_int_eq(store_commit(store), 0);
}

static void use_often(struct hits *hits, unsigned count)
{
    while (count-- > 0)
        use(hits, next_key());
}

/* Within so many points of a hundred. */
static void expect_within(const struct hits *hits, double points)
{
    double lost = 100.0 * ((double)hits->exact - (double)hits->store) / hits->uses;

    ck_assert_msg(lost <= points, "of %u uses: %u hits, where %u are exact", hits->uses,
                  hits->store, hits->exact);
}

static struct hits warm_up(void)
{
    struct hits hits = {0};

    random_state = 1;
    exact.before[HEAD] = exact.behind[HEAD] = HEAD;
    make_trace();
    use_often(&hits, 4 * KEYS);
    return (struct hits){0};
}

/* ---- tests ---- */

START_TEST(hits_are_within_a_point_of_exact)
{
    struct hits hits = warm_up();

    use_often(&hits, 4 * KEYS);
    expect_within(&hits, 1);
    ck_assert_uint_gt(hits.exact, hits.uses / 2);
}
END_TEST

static int compare_numbers(const void *a, const void *b)
{
    uint32_t left = *(const uint32_t *)a, right = *(const uint32_t *)b;

    return (left > right) - (left < right);
}

/* A scan of ten times the cache, and uses after it: they recover as fast. */
static void scan_and_recover(void)
{
    struct hits after = {0};

    for (uint32_t i = 0; i < SCANNED; i++)
        use(&(struct hits){0}, places[KEYS + i]);
    for (int i = 0; i < 8; i++) {
        use_often(&after, CACHE / 2);
        expect_within(&after, 0.5);
    }
}

START_TEST(a_scan_is_recovered_from)
{
    warm_up();
    scan_and_recover();
}
END_TEST

START_TEST(a_scan_in_the_order_of_keys_is_recovered_from)
{
    warm_up();
    qsort(places + KEYS, SCANNED, sizeof(places[0]), compare_numbers);
    scan_and_recover();
}
END_TEST

START_TEST(of_keys_that_only_ascend_the_newest_stay)
{
    struct hits hits = {0};

    exact.before[HEAD] = exact.behind[HEAD] = HEAD;
    for (uint32_t i = 0; i < KEYS; i++) {
        use(&hits, i);
        if (i >= CACHE / 2)
            use(&hits, i - CACHE / 2);
    }
    expect_within(&hits, 1);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("hand");
    TCase *hand = tcase_create("hand");

    tcase_add_checked_fixture(hand, setup, teardown);
    tcase_set_timeout(hand, 60);
    suite_add_tcase(s, hand);
    tcase_add_test(hand, hits_are_within_a_point_of_exact);
    tcase_add_test(hand, a_scan_is_recovered_from);
    tcase_add_test(hand, a_scan_in_the_order_of_keys_is_recovered_from);
    tcase_add_test(hand, of_keys_that_only_ascend_the_newest_stay);
    return s;
}

int main(void)
{
    return harness_main(suite());
}
