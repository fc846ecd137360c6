#include "json.h"

#include "print.h"
#include "text.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static enum status out_of_memory(void)
{
    complain("out of memory");
    return STATUS_FULL;
}

static json_t *base64_value(const void *bytes, size_t length)
{
    char *text = text_base64(bytes, length);
    json_t *value = text ? json_string(text) : NULL;

    free(text);
    return value;
}

/* Sets member `name`, or null and `base64_name` in its place. */
static int set_text(json_t *object, const char *name, const char *base64_name, const char *bytes,
                    size_t length)
{
    if (text_is_utf8(bytes, length))
        return json_object_set_new(object, name, json_stringn(bytes, length));
    return json_object_set_new(object, name, json_null()) ||
           json_object_set_new(object, base64_name, base64_value(bytes, length));
}

static int set_number(json_t *object, const char *name, uint64_t number)
{
    return json_object_set_new(object, name, json_integer((json_int_t)number));
}

static int set_moment(json_t *object, const char *name, const char *number_name, int64_t moment)
{
    char text[TEXT_MOMENT_MAX];

    return json_object_set_new(object, name, json_string(text_moment(text, moment))) ||
           json_object_set_new(object, number_name, json_integer(moment));
}

static int set_expires(json_t *object, int64_t expires)
{
    if (expires)
        return set_moment(object, "expires", "expires_us", expires);
    return json_object_set_new(object, "expires", json_null()) ||
           json_object_set_new(object, "expires_us", json_null());
}

static int set_content_type(json_t *object, const char *type)
{
    if (!type)
        return json_object_set_new(object, "content_type", json_null());
    return set_text(object, "content_type", "content_type_base64", type, strlen(type));
}

static json_t *pair_base64(const struct memstore_metadata *pair)
{
    json_t *both = json_object();

    if (json_object_set_new(both, "name", base64_value(pair->name, strlen(pair->name))) ||
        json_object_set_new(both, "value", base64_value(pair->value, strlen(pair->value)))) {
        json_decref(both);
        return NULL;
    }
    return both;
}

static bool pair_is_utf8(const struct memstore_metadata *pair)
{
    return text_is_utf8(pair->name, strlen(pair->name)) &&
           text_is_utf8(pair->value, strlen(pair->value));
}

static int set_metadata(json_t *object, const struct memstore_object *source)
{
    json_t *metadata = json_object();
    json_t *others = json_array();
    const struct memstore_metadata *pair;
    int failed = 0;

    for (size_t i = 0; !failed && (pair = memstore_object_metadata_at(source, i)); i++) {
        if (pair_is_utf8(pair))
            failed = json_object_set_new(metadata, pair->name, json_string(pair->value));
        else
            failed = json_array_append_new(others, pair_base64(pair));
    }
    if (!failed)
        failed = json_object_set(object, "metadata", metadata);
    if (!failed && json_array_size(others) > 0)
        failed = json_object_set(object, "metadata_base64", others);
    json_decref(others);
    json_decref(metadata);
    return failed;
}

/* NULL: out of memory, which is all that can go wrong in here. */
static json_t *object_json(const struct memstore_object *source)
{
    json_t *object = json_object();
    size_t length;
    const char *key = memstore_object_key(source, &length);

    if (set_text(object, "key", "key_base64", key, length) ||
        set_number(object, "size", memstore_object_size(source)) ||
        set_number(object, "version", memstore_object_version(source)) ||
        json_object_set_new(object, "etag", json_string(memstore_object_etag(source))) ||
        set_moment(object, "modified", "modified_us", memstore_object_modified(source)) ||
        set_expires(object, memstore_object_expires(source)) ||
        set_content_type(object, memstore_object_content_type(source)) ||
        set_metadata(object, source)) {
        json_decref(object);
        return NULL;
    }
    return object;
}

/* Writes a value and ends it; false: out of memory. What stdout refuses shows when it is closed. */
static bool json_write(json_t *value, size_t flags)
{
    char *text = value ? json_dumps(value, flags) : NULL;
    bool complete = text != NULL;

    if (complete)
        fputs(text, stdout);
    free(text);
    json_decref(value);
    return complete;
}

enum status json_list(const struct memstore_list *list)
{
    fputs("[", stdout);
    for (size_t i = 0; i < memstore_list_count(list); i++) {
        fputs(i > 0 ? ",\n" : "\n", stdout);
        if (!json_write(object_json(memstore_list_at(list, i)), 0))
            return out_of_memory();
    }
    fputs("\n]\n", stdout);
    return STATUS_DONE;
}

enum status json_object_info(const struct memstore_object *object)
{
    if (!json_write(object_json(object), JSON_INDENT(2)))
        return out_of_memory();
    putchar('\n');
    return STATUS_DONE;
}

enum status json_stats(const struct memstore_stats *stats)
{
    json_t *object = json_object();
    int failed = stats->max_size == UINT64_MAX
                     ? json_object_set_new(object, "max_size", json_null())
                     : set_number(object, "max_size", stats->max_size);

    failed =
        failed || set_number(object, "used", stats->used) ||
        set_number(object, "objects", stats->objects) ||
        set_number(object, "max_memory", stats->max_memory) ||
        set_number(object, "memory", stats->memory) ||
        set_number(object, "version", stats->version) ||
        set_number(object, "buckets", stats->buckets) ||
        set_number(object, "clients", stats->clients) ||
        set_number(object, "requests", stats->requests) ||
        set_number(object, "commits", stats->commits) ||
        set_number(object, "refused", stats->refused) ||
        set_number(object, "uptime_us", stats->uptime) || set_number(object, "pid", stats->pid) ||
        set_number(object, "readers", stats->readers) ||
        set_number(object, "views", stats->views) || set_number(object, "pinned", stats->pinned) ||
        set_number(object, "garbage", stats->garbage) ||
        set_number(object, "waiting", stats->waiting) ||
        set_number(object, "watching", stats->watching) ||
        set_number(object, "locks", stats->locks);
    if (failed) {
        json_decref(object);
        return out_of_memory();
    }
    json_write(object, JSON_INDENT(2));
    putchar('\n');
    return STATUS_DONE;
}

enum status json_tally(const struct tally *tally)
{
    json_t *object = json_object();

    if (set_number(object, "objects", tally->objects) ||
        set_number(object, "bytes", tally->bytes) ||
        set_number(object, "skipped", tally->skipped) ||
        set_number(object, "failed", tally->failed)) {
        json_decref(object);
        return out_of_memory();
    }
    json_write(object, JSON_INDENT(2));
    putchar('\n');
    return STATUS_DONE;
}

static json_t *event_json(const struct memstore_event *event)
{
    json_t *object = json_object();

    if (set_number(object, "version", event->version) ||
        json_object_set_new(object, "kind", json_string(print_event_kind(event))) ||
        (event->kind != MEMSTORE_EVENT_GAP &&
         set_text(object, "key", "key_base64", event->key, event->key_length))) {
        json_decref(object);
        return NULL;
    }
    return object;
}

enum status json_event(const struct memstore_event *event)
{
    if (!json_write(event_json(event), 0))
        return out_of_memory();
    putchar('\n');
    return STATUS_DONE;
}

static json_t *holder_json(const struct memstore_holder *holder)
{
    json_t *object = json_object();
    int failed = set_number(object, "pid", holder->pid) || set_number(object, "uid", holder->uid) ||
                 set_number(object, "views", holder->views) ||
                 set_number(object, "pinned", holder->pinned) ||
                 set_number(object, "readers", holder->readers) ||
                 set_number(object, "oldest_us", holder->oldest) ||
                 set_text(object, "name", "name_base64", holder->name, strlen(holder->name));

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
        if (!json_write(holder_json(&holders[i]), 0))
            return out_of_memory();
    }
    fputs("\n]\n", stdout);
    return STATUS_DONE;
}
