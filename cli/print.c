#include "print.h"

#include "common/size.h"
#include "text.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

bool print_is_for_people(void)
{
    return isatty(STDOUT_FILENO);
}

static enum status out_of_memory(void)
{
    complain("out of memory");
    return STATUS_FULL;
}

enum status print_bytes(const void *bytes, size_t length, char end)
{
    char *shown;

    if (end == '\0' || !print_is_for_people()) {
        fwrite(bytes, 1, length, stdout);
    } else {
        shown = text_escape(bytes, length, TEXT_EXACT);
        if (!shown)
            return out_of_memory();
        fputs(shown, stdout);
        free(shown);
    }
    putchar(end);
    return STATUS_DONE;
}

static enum status print_key(const struct memstore_object *object, bool ends_with_nul)
{
    size_t length;
    const void *key = memstore_object_key(object, &length);

    return print_bytes(key, length, ends_with_nul ? '\0' : '\n');
}

enum status print_list(const struct memstore_list *list, bool ends_with_nul)
{
    enum status status = STATUS_DONE;

    for (size_t i = 0; i < memstore_list_count(list) && status == STATUS_DONE; i++)
        status = print_key(memstore_list_at(list, i), ends_with_nul);
    return status;
}

/* What stands in the column of content types: "-" for none. It never breaks its line or column. */
static char *column_type(const struct memstore_object *object)
{
    const char *type = memstore_object_content_type(object);

    if (!type)
        return strdup("-");
    return *type ? text_escape(type, strlen(type), TEXT_EXACT) : strdup("\"\"");
}

struct widths {
    int version;
    int type;
};

static enum status widths_measure(const struct memstore_list *list, struct widths *widths)
{
    for (size_t i = 0; i < memstore_list_count(list); i++) {
        const struct memstore_object *object = memstore_list_at(list, i);
        int version = snprintf(NULL, 0, "%" PRIu64, memstore_object_version(object));
        char *type = column_type(object);

        if (!type)
            return out_of_memory();
        widths->version = version > widths->version ? version : widths->version;
        widths->type = (int)strlen(type) > widths->type ? (int)strlen(type) : widths->type;
        free(type);
    }
    return STATUS_DONE;
}

static void print_columns(const struct memstore_object *object, const char *type,
                          const struct widths *widths)
{
    char moment[TEXT_MOMENT_MAX];
    char size[SIZE_TEXT_MAX];
    int64_t modified = memstore_object_modified(object);

    if (print_is_for_people())
        printf("%9s  %s  %*" PRIu64 "  %-*s  ", size_format(size, memstore_object_size(object)),
               text_local_moment(moment, modified), widths->version,
               memstore_object_version(object), widths->type, type);
    else
        printf("%" PRIu64 "\t%s\t%" PRIu64 "\t%s\t", memstore_object_size(object),
               text_moment(moment, modified), memstore_object_version(object), type);
}

enum status print_long_list(const struct memstore_list *list, bool ends_with_nul)
{
    struct widths widths = {0};
    enum status status = widths_measure(list, &widths);

    for (size_t i = 0; i < memstore_list_count(list) && status == STATUS_DONE; i++) {
        const struct memstore_object *object = memstore_list_at(list, i);
        char *type = column_type(object);

        if (!type)
            return out_of_memory();
        print_columns(object, type, &widths);
        free(type);
        status = print_key(object, ends_with_nul);
    }
    return status;
}

/* Escaped always, so that one line is one member. */
static enum status print_member(const char *prefix, const char *name, const void *value,
                                size_t length)
{
    char *shown_name = text_escape(name, strlen(name), TEXT_EXACT);
    char *shown_value = text_escape(value, length, TEXT_EXACT);
    bool complete = shown_name && shown_value;

    if (complete)
        printf("%s%s: %s\n", prefix, shown_name, shown_value);
    free(shown_value);
    free(shown_name);
    return complete ? STATUS_DONE : out_of_memory();
}

static enum status print_words(const struct memstore_object *object)
{
    const char *type = memstore_object_content_type(object);
    const struct memstore_metadata *pair;
    enum status status = STATUS_DONE;

    if (type)
        status = print_member("", "content-type", type, strlen(type));
    for (size_t i = 0; status == STATUS_DONE; i++) {
        pair = memstore_object_metadata_at(object, i);
        if (!pair)
            break;
        status = print_member("metadata.", pair->name, pair->value, strlen(pair->value));
    }
    return status;
}

enum status print_object(const struct memstore_object *object)
{
    char moment[TEXT_MOMENT_MAX];
    size_t length;
    const void *key = memstore_object_key(object, &length);
    enum status status = print_member("", "key", key, length);

    if (status != STATUS_DONE)
        return status;
    printf("size: %" PRIu64 "\n", memstore_object_size(object));
    printf("modified: %s\n", text_moment(moment, memstore_object_modified(object)));
    if (memstore_object_expires(object))
        printf("expires: %s\n", text_moment(moment, memstore_object_expires(object)));
    printf("version: %" PRIu64 "\n", memstore_object_version(object));
    printf("etag: %s\n", memstore_object_etag(object));
    return print_words(object);
}

const char *print_event_kind(const struct memstore_event *event)
{
    switch (event->kind) {
    case MEMSTORE_EVENT_PUT:
        return "put";
    case MEMSTORE_EVENT_DELETE:
        return "delete";
    case MEMSTORE_EVENT_EXPIRE:
        return "expire";
    case MEMSTORE_EVENT_EVICT:
        return "evict";
    default:
        return "gap";
    }
}

enum status print_event(const struct memstore_event *event)
{
    printf("%" PRIu64 "\t%s\t", event->version, print_event_kind(event));
    return print_bytes(event->key, event->key_length, '\n');
}
