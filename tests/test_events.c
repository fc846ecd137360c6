/* What the daemon keeps for those who wait: events, their history, tables of names. */
#include "daemon/events.h"
#include "daemon/history.h"
#include "daemon/table.h"
#include "tests/harness.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint64_t state;

static unsigned random_below(unsigned limit)
{
    state = state * 6364136223846793005U + 1442695040888963407U;
    return (unsigned)(state >> 33) % limit;
}

static void add(struct events *events, uint64_t version, size_t key_length)
{
    const struct event event = {
        .version = version, .bucket = 1, .kind = 1, .key_length = (uint16_t)key_length};
    char key[500];

    memset(key, (int)version, sizeof(key));
    ck_assert_int_eq(events_add(events, &event, key), 0);
}

static bool is_event(const struct event *event, uint64_t version)
{
    for (size_t i = 0; i < event->key_length; i++)
        if (event->key[i] != (uint8_t)version)
            return false;
    return event->version == version && event->bucket == 1 && event->kind == 1;
}

/* Expects the committed ones to be those versions. */
static void expect_events(const struct events *events, uint64_t first, uint64_t last)
{
    const struct event *event;

    for (event = events_first(events); event; event = events_next(events, event))
        ck_assert(is_event(event, first++));
    ck_assert_uint_eq(first, last + 1);
}

START_TEST(events_count_from_their_commit)
{
    struct events events = {0};

    ck_assert_ptr_null(events_first(&events));
    add(&events, 1, 3);
    add(&events, 2, 500);
    ck_assert_ptr_null(events_first(&events));
    events_commit(&events);
    expect_events(&events, 1, 2);
    add(&events, 3, 0);
    expect_events(&events, 1, 2);
    events_forget(&events);
    add(&events, 3, 7);
    events_clear(&events);
    ck_assert_ptr_null(events_first(&events));
    events_commit(&events);
    expect_events(&events, 3, 3);
    for (uint64_t version = 4; version < 20000; version++)
        add(&events, version, random_below(501));
    events_commit(&events);
    expect_events(&events, 3, 19999);
    events_clear(&events);
    add(&events, 1, 1);
    events_forget(&events);
    events_commit(&events);
    ck_assert_ptr_null(events_first(&events));
    events_finish(&events);
}
END_TEST

/* All of what is there, and how far it goes back. */
static void expect_history(const struct history *history, uint64_t newest)
{
    uint64_t version = history->forgotten + 1;

    for (uint64_t number = history->first; number < history->end; number++) {
        ck_assert_uint_eq(history_after(history, version - 1), number);
        ck_assert(is_event(history_at(history, number), version++));
    }
    ck_assert_uint_eq(version, newest + 1);
    ck_assert_uint_eq(history_after(history, newest), history->end);
    ck_assert_uint_eq(history_after(history, 0), history->first);
}

/* Longest keys, shortest ones, and any. */
static const unsigned longest[] = {501, 1, 501, 40};
static const unsigned shortest[] = {500, 0, 0, 0};

START_TEST(history_has_the_last_events)
{
    struct events events = {0};
    struct history history;
    size_t bytes = 0, count = 0;

    ck_assert_int_eq(history_init(&history, 100), 0);
    expect_history(&history, 100);
    for (uint64_t version = 101; version < 300000; version++) {
        unsigned spread = longest[_i] - shortest[_i];

        add(&events, version, shortest[_i] + random_below(spread));
        events_commit(&events);
        history_add(&history, events_first(&events));
        events_clear(&events);
        if (version % 50000 == 0 || version == 101)
            expect_history(&history, version);
    }
    expect_history(&history, 299999);
    count = history.end - history.first;
    for (uint64_t number = history.first; number < history.end; number++)
        bytes += event_size(history_at(&history, number));
    ck_assert_uint_le(bytes, HISTORY_BYTES);
    ck_assert_msg(count == HISTORY_COUNT || bytes > HISTORY_BYTES - 2000,
                  "only %zu events of %zu bytes", count, bytes);
    history_finish(&history);
    events_finish(&events);
}
END_TEST

#define ENTRIES 3000
#define BUCKETS 1000

struct named {
    struct table_entry entry;
    char name[16];
    bool is_in;
};

static void name_it(struct named *named, size_t i)
{
    snprintf(named->name, sizeof(named->name), "name %zu", i / BUCKETS);
    named->entry.key = (struct store_key){
        .bucket = (uint32_t)(i % BUCKETS), .data = named->name, .length = strlen(named->name)};
}

/* All of one bucket, and nothing else. */
static void take_out(struct table *table, struct named *all, uint32_t bucket)
{
    size_t others = table->count;
    struct table_entry *entry, *next;

    for (size_t i = 0; i < ENTRIES; i++)
        others -= all[i].is_in && all[i].entry.key.bucket == bucket;
    for (entry = table_next(table, bucket, NULL); entry; entry = next) {
        next = table_next(table, bucket, entry);
        ck_assert_uint_eq(entry->key.bucket, bucket);
        table_remove(table, entry);
    }
    ck_assert_uint_eq(table->count, others);
}

/* The same names in many buckets come and go. */
START_TEST(table_finds_what_is_in_it)
{
    struct named *all = calloc(ENTRIES, sizeof(*all));
    struct table table;

    ck_assert_int_eq(table_init(&table), 0);
    for (size_t i = 0; i < ENTRIES; i++)
        name_it(&all[i], i);
    for (int round = 0; round < 20000; round++) {
        struct named *named = &all[random_below(ENTRIES)];

        if (named->is_in)
            table_remove(&table, &named->entry);
        else
            ck_assert_int_eq(table_add(&table, &named->entry), 0);
        named->is_in = !named->is_in;
    }
    for (size_t i = 0; i < ENTRIES; i++) {
        struct table_entry *entry = table_find(&table, &all[i].entry.key);

        ck_assert_ptr_eq(entry, all[i].is_in ? &all[i].entry : NULL);
    }
    for (uint32_t i = 0; i < BUCKETS; i++)
        take_out(&table, all, (i + BUCKETS / 2) % BUCKETS);
    ck_assert_uint_eq(table.count, 0);
    table_finish(&table);
    free(all);
}
END_TEST

static Suite *suite(void)
{
    Suite *all = suite_create("events");
    TCase *events = tcase_create("events");

    tcase_set_timeout(events, 60);
    tcase_add_test(events, events_count_from_their_commit);
    tcase_add_loop_test(events, history_has_the_last_events, 0, 4);
    tcase_add_test(events, table_finds_what_is_in_it);
    suite_add_tcase(all, events);
    return all;
}

int main(void)
{
    return harness_main(suite());
}
