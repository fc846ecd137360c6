#include "json_report.h"

#include "json_parts.h"

#include <stdio.h>
#include <string.h>

json_t *json_stats_value(const struct memstore_stats *stats)
{
    json_t *object = json_object();
    int failed = json_set_limit(object, "max_size", stats->max_size) ||
                 json_set_number(object, "used", stats->used) ||
                 json_set_number(object, "objects", stats->objects) ||
                 json_set_number(object, "max_memory", stats->max_memory) ||
                 json_set_number(object, "memory", stats->memory) ||
                 json_set_number(object, "version", stats->version) ||
                 json_set_number(object, "buckets", stats->buckets) ||
                 json_set_number(object, "clients", stats->clients) ||
                 json_set_number(object, "requests", stats->requests) ||
                 json_set_number(object, "commits", stats->commits) ||
                 json_set_number(object, "refused", stats->refused) ||
                 json_set_number(object, "uptime_us", stats->uptime) ||
                 json_set_number(object, "pid", stats->pid) ||
                 json_set_number(object, "readers", stats->readers) ||
                 json_set_number(object, "views", stats->views) ||
                 json_set_number(object, "pinned", stats->pinned) ||
                 json_set_number(object, "garbage", stats->garbage) ||
                 json_set_number(object, "waiting", stats->waiting) ||
                 json_set_number(object, "watching", stats->watching) ||
                 json_set_number(object, "locks", stats->locks);

    if (failed) {
        json_decref(object);
        return NULL;
    }
    return object;
}

enum status json_stats(const struct memstore_stats *stats)
{
    if (!json_write(json_stats_value(stats), JSON_INDENT(2)))
        return json_no_memory();
    putchar('\n');
    return STATUS_DONE;
}

json_t *json_holder_value(const struct memstore_holder *holder)
{
    json_t *object = json_object();
    int failed = json_set_number(object, "pid", holder->pid) ||
                 json_set_number(object, "uid", holder->uid) ||
                 json_set_number(object, "views", holder->views) ||
                 json_set_number(object, "pinned", holder->pinned) ||
                 json_set_number(object, "readers", holder->readers) ||
                 json_set_number(object, "oldest_us", holder->oldest) ||
                 json_set_text(object, "name", "name_base64", holder->name, strlen(holder->name));

    if (failed) {
        json_decref(object);
        return NULL;
    }
    return object;
}

enum status json_holders(const struct memstore_holder *holders, size_t count)
{
    fputs("[", stdout);
    for (size_t i = 0; i < count; i++) {
        fputs(i > 0 ? ",\n" : "\n", stdout);
        if (!json_write(json_holder_value(&holders[i]), 0))
            return json_no_memory();
    }
    fputs("\n]\n", stdout);
    return STATUS_DONE;
}
