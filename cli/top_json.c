#include "top_json.h"

#include "bucket_show.h"
#include "json_parts.h"
#include "json_report.h"

#include <stdio.h>

static json_t *bucket_value(const struct bucket_row *row)
{
    json_t *object = bucket_json_value(row->info);
    double part = bucket_row_hit_rate(row);
    int failed = json_object_set_new(object, "puts_per_s", json_real(row->puts)) ||
                 json_object_set_new(object, "hits_per_s", json_real(row->hits)) ||
                 json_object_set_new(object, "misses_per_s", json_real(row->misses)) ||
                 json_object_set_new(object, "evicted_per_s", json_real(row->evicted)) ||
                 json_object_set_new(object, "hit_rate", part < 0 ? json_null() : json_real(part));

    if (failed) {
        json_decref(object);
        return NULL;
    }
    return object;
}

static json_t *buckets_value(const struct picture *picture)
{
    json_t *array = json_array();

    for (size_t i = 0; i < picture->row_count; i++) {
        if (json_array_append_new(array, bucket_value(&picture->rows[i]))) {
            json_decref(array);
            return NULL;
        }
    }
    return array;
}

static json_t *holders_value(const struct sample *sample)
{
    json_t *array = json_array();

    for (size_t i = 0; i < sample->holder_count; i++) {
        if (json_array_append_new(array, json_holder_value(&sample->holders[i]))) {
            json_decref(array);
            return NULL;
        }
    }
    return array;
}

enum status top_json(const struct picture *picture)
{
    json_t *object = json_object();
    int failed = json_object_set_new(object, "seconds", json_real(picture->seconds)) ||
                 json_object_set_new(object, "requests_per_s", json_real(picture->requests)) ||
                 json_object_set_new(object, "commits_per_s", json_real(picture->commits)) ||
                 json_object_set_new(object, "stats", json_stats_value(&picture->sample->stats)) ||
                 json_object_set_new(object, "buckets", buckets_value(picture)) ||
                 json_object_set_new(object, "holders", holders_value(picture->sample));

    if (failed) {
        json_decref(object);
        return json_no_memory();
    }
    if (!json_write(object, JSON_INDENT(2) | JSON_REAL_PRECISION(9)))
        return json_no_memory();
    putchar('\n');
    return STATUS_DONE;
}
