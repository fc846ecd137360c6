#include "bucket_show.h"

#include "common/size.h"
#include "duration.h"
#include "json_parts.h"
#include "print.h"

#include <inttypes.h>
#include <stdio.h>

#define COUNT_TEXT_MAX 24

const char *bucket_policy_name(enum memstore_policy policy)
{
    return policy == MEMSTORE_POLICY_LRU ? "lru" : "refuse";
}

/* "-" is no limit and no lifetime. */
static const char *size_limit(char text[SIZE_TEXT_MAX], uint64_t limit)
{
    return limit == UINT64_MAX ? "-" : size_format(text, limit);
}

static const char *count_limit(char text[COUNT_TEXT_MAX], uint64_t limit)
{
    if (limit == UINT64_MAX)
        return "-";
    snprintf(text, COUNT_TEXT_MAX, "%" PRIu64, limit);
    return text;
}

static const char *lifetime(char text[DURATION_TEXT_MAX], int64_t ttl_ms)
{
    return ttl_ms == 0 ? "-" : duration_format(text, ttl_ms);
}

/* ---- text ---- */

void bucket_print_list(const struct memstore_bucket_info *buckets, size_t count)
{
    for (size_t i = 0; i < count; i++)
        puts(buckets[i].name);
}

static void print_for_people(const struct memstore_bucket_info *bucket)
{
    char used[SIZE_TEXT_MAX], max_size[SIZE_TEXT_MAX], max_objects[COUNT_TEXT_MAX];
    char ttl[DURATION_TEXT_MAX];

    printf("%9s  %9s  %10" PRIu64 "  %11s  %-6s  %8s  %s%s\n", size_format(used, bucket->used),
           size_limit(max_size, bucket->max_size), bucket->objects,
           count_limit(max_objects, bucket->max_objects), bucket_policy_name(bucket->policy),
           lifetime(ttl, bucket->ttl_ms), bucket->name, bucket->ephemeral ? " (ephemeral)" : "");
}

static void print_exactly(const struct memstore_bucket_info *bucket)
{
    char max_size[COUNT_TEXT_MAX], max_objects[COUNT_TEXT_MAX], ttl[DURATION_TEXT_MAX];

    printf("%" PRIu64 "\t%s\t%" PRIu64 "\t%s\t%s\t%s\t%s\t%s\n", bucket->used,
           count_limit(max_size, bucket->max_size), bucket->objects,
           count_limit(max_objects, bucket->max_objects), bucket_policy_name(bucket->policy),
           lifetime(ttl, bucket->ttl_ms), bucket->ephemeral ? "ephemeral" : "-", bucket->name);
}

void bucket_print_long_list(const struct memstore_bucket_info *buckets, size_t count)
{
    bool for_people = print_is_for_people();

    if (for_people)
        printf("%9s  %9s  %10s  %11s  %-6s  %8s  %s\n", "USED", "MAX SIZE", "OBJECTS",
               "MAX OBJECTS", "POLICY", "LIFETIME", "NAME");
    for (size_t i = 0; i < count; i++) {
        if (for_people)
            print_for_people(&buckets[i]);
        else
            print_exactly(&buckets[i]);
    }
}

void bucket_print(const struct memstore_bucket_info *bucket)
{
    char text[DURATION_TEXT_MAX];

    printf("%-13s%s\n", "name:", bucket->name);
    print_size_line("max size:", bucket->max_size);
    print_size_line("used:", bucket->used);
    print_count_line("max objects:", bucket->max_objects);
    print_count_line("objects:", bucket->objects);
    printf("%-13s%s\n", "policy:", bucket_policy_name(bucket->policy));
    printf("%-13s%s\n",
           "lifetime:", bucket->ttl_ms == 0 ? "no end" : duration_format(text, bucket->ttl_ms));
    printf("%-13s%s\n", "ephemeral:", bucket->ephemeral ? "yes" : "no");
    print_count_line("puts:", bucket->puts);
    print_count_line("hits:", bucket->hits);
    print_count_line("misses:", bucket->misses);
    print_count_line("evicted:", bucket->evicted);
    print_count_line("expired:", bucket->expired);
    print_count_line("refused:", bucket->refused);
}

/* ---- JSON ---- */

static int set_lifetime(json_t *object, int64_t ttl_ms)
{
    return json_object_set_new(object, "ttl_ms", ttl_ms == 0 ? json_null() : json_integer(ttl_ms));
}

json_t *bucket_json_value(const struct memstore_bucket_info *bucket)
{
    json_t *object = json_object();
    int failed =
        json_object_set_new(object, "name", json_string(bucket->name)) ||
        json_set_limit(object, "max_size", bucket->max_size) ||
        json_set_number(object, "used", bucket->used) ||
        json_set_limit(object, "max_objects", bucket->max_objects) ||
        json_set_number(object, "objects", bucket->objects) ||
        json_object_set_new(object, "policy", json_string(bucket_policy_name(bucket->policy))) ||
        set_lifetime(object, bucket->ttl_ms) ||
        json_object_set_new(object, "ephemeral", json_boolean(bucket->ephemeral)) ||
        json_set_number(object, "puts", bucket->puts) ||
        json_set_number(object, "hits", bucket->hits) ||
        json_set_number(object, "misses", bucket->misses) ||
        json_set_number(object, "evicted", bucket->evicted) ||
        json_set_number(object, "expired", bucket->expired) ||
        json_set_number(object, "refused", bucket->refused);

    if (failed) {
        json_decref(object);
        return NULL;
    }
    return object;
}

enum status bucket_json(const struct memstore_bucket_info *bucket)
{
    if (!json_write(bucket_json_value(bucket), JSON_INDENT(2)))
        return json_no_memory();
    putchar('\n');
    return STATUS_DONE;
}

enum status bucket_json_list(const struct memstore_bucket_info *buckets, size_t count)
{
    fputs("[", stdout);
    for (size_t i = 0; i < count; i++) {
        fputs(i > 0 ? ",\n" : "\n", stdout);
        if (!json_write(bucket_json_value(&buckets[i]), 0))
            return json_no_memory();
    }
    fputs("\n]\n", stdout);
    return STATUS_DONE;
}
