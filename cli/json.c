#include "json.h"

#include "json_parts.h"
#include "print.h"
#include "text.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int set_expires(json_t *object, int64_t expires)
{
    if (expires)
        return json_set_moment(object, "expires", "expires_us", expires);
    return json_object_set_new(object, "expires", json_null()) ||
           json_object_set_new(object, "expires_us", json_null());
}

static int set_content_type(json_t *object, const char *type)
{
    if (!type)
        return json_object_set_new(object, "content_type", json_null());
    return json_set_text(object, "content_type", "content_type_base64", type, strlen(type));
}

static json_t *pair_base64(const struct memstore_metadata *pair)
{
    json_t *both = json_object();

    if (json_object_set_new(both, "name", json_base64(pair->name, strlen(pair->name))) ||
        json_object_set_new(both, "value", json_base64(pair->value, strlen(pair->value)))) {
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

    if (json_set_text(object, "key", "key_base64", key, length) ||
        json_set_number(object, "size", memstore_object_size(source)) ||
        json_set_number(object, "version", memstore_object_version(source)) ||
        json_object_set_new(object, "etag", json_string(memstore_object_etag(source))) ||
        json_set_moment(object, "modified", "modified_us", memstore_object_modified(source)) ||
        set_expires(object, memstore_object_expires(source)) ||
        set_content_type(object, memstore_object_content_type(source)) ||
        set_metadata(object, source)) {
        json_decref(object);
        return NULL;
    }
    return object;
}

enum status json_list(const struct memstore_list *list)
{
    fputs("[", stdout);
    for (size_t i = 0; i < memstore_list_count(list); i++) {
        fputs(i > 0 ? ",\n" : "\n", stdout);
        if (!json_write(object_json(memstore_list_at(list, i)), 0))
            return json_no_memory();
    }
    fputs("\n]\n", stdout);
    return STATUS_DONE;
}

enum status json_object_info(const struct memstore_object *object)
{
    if (!json_write(object_json(object), JSON_INDENT(2)))
        return json_no_memory();
    putchar('\n');
    return STATUS_DONE;
}

enum status json_tally(const struct tally *tally)
{
    json_t *object = json_object();

    if (json_set_number(object, "objects", tally->objects) ||
        json_set_number(object, "bytes", tally->bytes) ||
        json_set_number(object, "skipped", tally->skipped) ||
        json_set_number(object, "failed", tally->failed)) {
        json_decref(object);
        return json_no_memory();
    }
    json_write(object, JSON_INDENT(2));
    putchar('\n');
    return STATUS_DONE;
}

static json_t *event_json(const struct memstore_event *event)
{
    json_t *object = json_object();

    if (json_set_number(object, "version", event->version) ||
        json_object_set_new(object, "kind", json_string(print_event_kind(event))) ||
        (event->kind != MEMSTORE_EVENT_GAP &&
         json_set_text(object, "key", "key_base64", event->key, event->key_length))) {
        json_decref(object);
        return NULL;
    }
    return object;
}

enum status json_event(const struct memstore_event *event)
{
    if (!json_write(event_json(event), 0))
        return json_no_memory();
    putchar('\n');
    return STATUS_DONE;
}
