#include "option_values.h"

#include "arguments.h"
#include "commands.h"
#include "common/size.h"
#include "duration.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#define INTERVAL_LEAST 50 /* milliseconds between two looks of top */

enum status value_timeout(struct arguments *arguments, const char *text)
{
    int64_t milliseconds;

    if (duration_parse(text, &milliseconds) < 0 || milliseconds == 0 || milliseconds > INT_MAX)
        return complain_usage(arguments_name(arguments),
                              "timeout '%s' is not a time above 0, such as 10, 500ms or 2m", text);
    arguments->timeout_ms = (int)milliseconds;
    return STATUS_DONE;
}

enum status value_metadata(struct arguments *arguments, char *text)
{
    char *equals = strchr(text, '=');

    if (!equals)
        return complain_usage(arguments_name(arguments),
                              "metadata '%s' is not of the form NAME=VALUE", text);
    *equals = '\0';
    for (const struct memstore_metadata *pair = arguments->metadata; pair->name; pair++) {
        if (strcmp(pair->name, text) == 0)
            return complain_usage(arguments_name(arguments), "metadata '%s' is given twice", text);
    }
    arguments->metadata[arguments->metadata_count++] =
        (struct memstore_metadata){.name = text, .value = equals + 1};
    return STATUS_DONE;
}

enum status value_ttl(struct arguments *arguments, const char *text)
{
    int error = 0;

    if (strcmp(text, "never") == 0)
        arguments->ttl_ms = -1;
    else
        error = duration_parse(text, &arguments->ttl_ms);
    if (error == -ERANGE)
        return complain_usage(arguments_name(arguments), "'%s' is too long: say 'never'", text);
    if (error || arguments->ttl_ms == 0)
        return complain_usage(
            arguments_name(arguments),
            "'%s' is no lifetime: give a time above 0, such as 500ms, 30s, 5m, 2h "
            "or 1d, or 'never'",
            text);
    return STATUS_DONE;
}

enum status value_range(struct arguments *arguments, char *text)
{
    char *colon = strchr(text, ':');
    int error = !colon;

    if (!error) {
        *colon = '\0';
        error = size_parse(text, &arguments->offset);
        *colon = ':';
    }
    if (!error && colon[1])
        error = size_parse(colon + 1, &arguments->length);
    if (error)
        return complain_usage("get", "range '%s' is not of the form OFFSET:LENGTH", text);
    return STATUS_DONE;
}

/* Digits and nothing else. */
static bool number_parse(const char *text, uint64_t *ret_number)
{
    errno = 0;
    *ret_number = strtoull(text, NULL, 10);
    return *text && !text[strspn(text, "0123456789")] && !errno;
}

enum status value_limit(struct arguments *arguments, const char *text)
{
    if (!number_parse(text, &arguments->limit))
        return complain_usage(arguments_name(arguments), "limit '%s' is not a number", text);
    arguments->has_limit = true;
    return STATUS_DONE;
}

enum status value_version(struct arguments *arguments, const char *text, uint64_t *ret_version)
{
    if (!number_parse(text, ret_version))
        return complain_usage(arguments_name(arguments), "version '%s' is not a number", text);
    return STATUS_DONE;
}

enum status value_until(struct arguments *arguments, enum memstore_until until)
{
    if (arguments->until && arguments->until != until)
        return complain_usage("wait",
                              "--exists, --gone and --changed or --after exclude each other");
    arguments->until = until;
    return STATUS_DONE;
}

/* Waiting for another version than one that is known is waiting for a change. */
enum status value_after(struct arguments *arguments, const char *text)
{
    arguments->has_after = true;
    if (value_until(arguments, MEMSTORE_UNTIL_CHANGED) != STATUS_DONE)
        return STATUS_USAGE;
    return value_version(arguments, text, &arguments->after);
}

enum status value_delta(struct arguments *arguments, const char *text)
{
    char *end;

    errno = 0;
    arguments->delta = strtoll(text, &end, 10);
    if (end == text || *end || errno || text[strspn(text, "+-0123456789")])
        return complain_usage("add", "'%s' is not a whole number of 64 bits", text);
    return STATUS_DONE;
}

/* ---- conditions ---- */

enum status value_if_version(struct arguments *arguments, const char *text)
{
    if (value_version(arguments, text, &arguments->condition.version) != STATUS_DONE)
        return STATUS_USAGE;
    if (arguments->condition.version == 0)
        return complain_usage(arguments_name(arguments), "no object has version 0%s",
                              arguments->given['N'] ? "" : ": say --if-absent");
    arguments->condition.has_version = 1;
    return STATUS_DONE;
}

enum status value_if_etag(struct arguments *arguments, const char *text)
{
    if (strlen(text) != MEMSTORE_ETAG_SIZE - 1 ||
        text[strspn(text, "0123456789abcdefABCDEF")] != '\0')
        return complain_usage(arguments_name(arguments), "etag '%s' is not 32 hex digits", text);
    arguments->condition.etag = text;
    return STATUS_DONE;
}

/* ---- buckets ---- */

enum status value_max_size(struct arguments *arguments, const char *text)
{
    struct memstore_bucket_options *settings = &arguments->settings;

    settings->has_max_size = 1;
    settings->max_size = UINT64_MAX;
    if (strcmp(text, "none") == 0 || size_parse(text, &settings->max_size) == 0)
        return STATUS_DONE;
    return complain_usage(arguments_name(arguments),
                          "max size '%s' is not a size such as 1000, 512K, 64M or 2G, or 'none'",
                          text);
}

enum status value_max_objects(struct arguments *arguments, const char *text)
{
    struct memstore_bucket_options *settings = &arguments->settings;

    settings->has_max_objects = 1;
    settings->max_objects = UINT64_MAX;
    if (strcmp(text, "none") == 0 || number_parse(text, &settings->max_objects))
        return STATUS_DONE;
    return complain_usage(arguments_name(arguments), "max objects '%s' is not a number, or 'none'",
                          text);
}

enum status value_policy(struct arguments *arguments, const char *text)
{
    struct memstore_bucket_options *settings = &arguments->settings;

    settings->has_policy = 1;
    if (strcmp(text, "refuse") == 0)
        settings->policy = MEMSTORE_POLICY_REFUSE;
    else if (strcmp(text, "lru") == 0)
        settings->policy = MEMSTORE_POLICY_LRU;
    else
        return complain_usage(arguments_name(arguments), "policy '%s' is not refuse or lru", text);
    return STATUS_DONE;
}

/* ---- top ---- */

enum status value_interval(struct arguments *arguments, const char *text)
{
    int64_t milliseconds;

    if (duration_parse(text, &milliseconds) < 0 || milliseconds < INTERVAL_LEAST ||
        milliseconds > INT_MAX)
        return complain_usage("top",
                              "interval '%s' is not a time of at least %d ms, such as 0.5 or 5s",
                              text, INTERVAL_LEAST);
    arguments->interval_ms = (int)milliseconds;
    return STATUS_DONE;
}

enum status value_order(struct arguments *arguments, const char *text)
{
    if (strcmp(text, "size") == 0)
        arguments->order = PICTURE_BY_SIZE;
    else if (strcmp(text, "rate") == 0)
        arguments->order = PICTURE_BY_RATE;
    else if (strcmp(text, "name") == 0)
        arguments->order = PICTURE_BY_NAME;
    else
        return complain_usage("top", "'%s' is nothing to sort by: size, rate or name", text);
    return STATUS_DONE;
}
