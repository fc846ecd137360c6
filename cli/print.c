#include "print.h"

#include "common/size.h"
#include "text.h"

#include <inttypes.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool print_for_people(void)
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

    if (end == '\0' || !print_for_people()) {
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

    if (print_for_people())
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

static void print_size(const char *name, uint64_t size)
{
    char text[SIZE_TEXT_MAX];

    if (size < 1024)
        printf("%-12s%" PRIu64 " B\n", name, size);
    else
        printf("%-12s%s (%" PRIu64 " bytes)\n", name, size_format(text, size), size);
}

static void print_count(const char *name, uint64_t count)
{
    printf("%-12s%" PRIu64 "\n", name, count);
}

static void print_uptime(uint64_t microseconds)
{
    uint64_t seconds = microseconds / 1000000;

    printf("%-12s", "uptime:");
    if (seconds >= 86400)
        printf("%" PRIu64 "d ", seconds / 86400);
    printf("%02" PRIu64 ":%02" PRIu64 ":%02" PRIu64 "\n", seconds / 3600 % 24, seconds / 60 % 60,
           seconds % 60);
}

enum status print_stats(const struct memstore_stats *stats)
{
    if (stats->max_size == UINT64_MAX)
        printf("%-12s%s\n", "max size:", "no limit");
    else
        print_size("max size:", stats->max_size);
    print_size("used:", stats->used);
    print_count("objects:", stats->objects);
    print_size("max memory:", stats->max_memory);
    print_size("memory:", stats->memory);
    print_count("version:", stats->version);
    print_count("buckets:", stats->buckets);
    print_count("clients:", stats->clients);
    print_count("requests:", stats->requests);
    print_count("commits:", stats->commits);
    print_count("refused:", stats->refused);
    print_uptime(stats->uptime);
    print_count("pid:", stats->pid);
    print_count("readers:", stats->readers);
    print_count("views:", stats->views);
    print_size("pinned:", stats->pinned);
    print_size("garbage:", stats->garbage);
    print_count("waiting:", stats->waiting);
    print_count("watching:", stats->watching);
    print_count("locks:", stats->locks);
    return STATUS_DONE;
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

static void print_holder_for_people(const struct memstore_holder *holder)
{
    const struct passwd *user = getpwuid(holder->uid);
    char name[32], pinned[SIZE_TEXT_MAX];

    snprintf(name, sizeof(name), "%u", holder->uid);
    printf("%8u  %-15s  %-12s  %6" PRIu64 "  %10s  %7" PRIu64 "  %9.3f s\n", holder->pid,
           holder->name, user ? user->pw_name : name, holder->views,
           size_format(pinned, holder->pinned), holder->readers, (double)holder->oldest / 1e6);
}

enum status print_holders(const struct memstore_holder *holders, size_t count)
{
    bool for_people = print_for_people();

    if (for_people)
        printf("%8s  %-15s  %-12s  %6s  %10s  %7s  %11s\n", "PID", "PROGRAM", "USER", "VIEWS",
               "PINNED", "READERS", "OLDEST READ");
    for (size_t i = 0; i < count; i++) {
        const struct memstore_holder *holder = &holders[i];

        if (for_people)
            print_holder_for_people(holder);
        else
            printf("%u\t%s\t%u\t%" PRIu64 "\t%" PRIu64 "\t%" PRIu64 "\t%" PRIu64 "\n", holder->pid,
                   holder->name, holder->uid, holder->views, holder->pinned, holder->readers,
                   holder->oldest);
    }
    return STATUS_DONE;
}
