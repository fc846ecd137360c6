#include "options.h"

#include "arguments.h"
#include "commands.h"
#include "common/size.h"
#include "duration.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

/* Those without a short form have a letter that the short forms do not list. */
const struct option options_long[] = {
    {"socket", required_argument, NULL, 's'},
    {"bucket", required_argument, NULL, 'b'},
    {"timeout", required_argument, NULL, 'T'},
    {"help", no_argument, NULL, 'h'},
    {"version", no_argument, NULL, 'V'},
    {"type", required_argument, NULL, 't'},
    {"metadata", required_argument, NULL, 'm'},
    {"ttl", required_argument, NULL, 'L'},
    {"range", required_argument, NULL, 'R'},
    {"long", no_argument, NULL, 'l'},
    {"limit", required_argument, NULL, 'n'},
    {"null", no_argument, NULL, '0'},
    {"json", no_argument, NULL, 'J'},
    {"recursive", no_argument, NULL, 'r'},
    {"all", no_argument, NULL, 'A'},
    {"exists", no_argument, NULL, 'x'},
    {"gone", no_argument, NULL, 'g'},
    {"changed", no_argument, NULL, 'c'},
    {"after", required_argument, NULL, 'a'},
    {"from", required_argument, NULL, 'F'},
    {NULL, 0, NULL, 0},
};

const struct option *option_find(int letter)
{
    const struct option *option = options_long;

    while (option->name && option->val != letter)
        option++;
    return option;
}

static const char *command_name(const struct arguments *arguments)
{
    return arguments->command ? arguments->command->name : "";
}

static enum status take_timeout(struct arguments *arguments, const char *text)
{
    int64_t milliseconds;

    if (duration_parse(text, &milliseconds) < 0 || milliseconds == 0 || milliseconds > INT_MAX)
        return complain_usage(command_name(arguments),
                              "timeout '%s' is not a time above 0, such as 10, 500ms or 2m", text);
    arguments->timeout_ms = (int)milliseconds;
    return STATUS_DONE;
}

static enum status take_metadata(struct arguments *arguments, char *text)
{
    char *equals = strchr(text, '=');

    if (!equals)
        return complain_usage(command_name(arguments),
                              "metadata '%s' is not of the form NAME=VALUE", text);
    *equals = '\0';
    for (const struct memstore_metadata *pair = arguments->metadata; pair->name; pair++) {
        if (strcmp(pair->name, text) == 0)
            return complain_usage(command_name(arguments), "metadata '%s' is given twice", text);
    }
    arguments->metadata[arguments->metadata_count++] =
        (struct memstore_metadata){.name = text, .value = equals + 1};
    return STATUS_DONE;
}

static enum status take_ttl(struct arguments *arguments, const char *text)
{
    int error = 0;

    if (strcmp(text, "never") == 0)
        arguments->ttl_ms = -1;
    else
        error = duration_parse(text, &arguments->ttl_ms);
    if (error == -ERANGE)
        return complain_usage(command_name(arguments), "'%s' is too long: say 'never'", text);
    if (error || arguments->ttl_ms == 0)
        return complain_usage(
            command_name(arguments),
            "'%s' is no lifetime: give a time above 0, such as 500ms, 30s, 5m, 2h "
            "or 1d, or 'never'",
            text);
    return STATUS_DONE;
}

static enum status take_range(struct arguments *arguments, char *text)
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

static bool number_parse(const char *text, uint64_t *ret_number)
{
    errno = 0;
    *ret_number = strtoull(text, NULL, 10);
    return *text && !text[strspn(text, "0123456789")] && !errno;
}

static enum status take_limit(struct arguments *arguments, const char *text)
{
    if (!number_parse(text, &arguments->limit))
        return complain_usage(command_name(arguments), "limit '%s' is not a number", text);
    arguments->has_limit = true;
    return STATUS_DONE;
}

static enum status take_version(struct arguments *arguments, const char *text,
                                uint64_t *ret_version)
{
    if (!number_parse(text, ret_version))
        return complain_usage(command_name(arguments), "version '%s' is not a number", text);
    return STATUS_DONE;
}

static enum status take_until(struct arguments *arguments, enum memstore_until until)
{
    if (arguments->until && arguments->until != until)
        return complain_usage("wait",
                              "--exists, --gone and --changed or --after exclude each other");
    arguments->until = until;
    return STATUS_DONE;
}

/* Waiting for another version than one that is known is waiting for a change. */
static enum status take_after(struct arguments *arguments, const char *text)
{
    arguments->has_after = true;
    if (take_until(arguments, MEMSTORE_UNTIL_CHANGED) != STATUS_DONE)
        return STATUS_USAGE;
    return take_version(arguments, text, &arguments->after);
}

/* What needs no look at its argument. */
static void take_plain(struct arguments *arguments, int letter, const char *text)
{
    switch (letter) {
    case 's':
        arguments->socket = text;
        break;
    case 'b':
        arguments->bucket = text;
        break;
    case 't':
        arguments->content_type = text;
        break;
    case 'h':
        arguments->help = true;
        break;
    case 'V':
        arguments->version = true;
        break;
    case 'l':
        arguments->is_long = true;
        break;
    case '0':
        arguments->ends_with_nul = true;
        break;
    case 'J':
        arguments->is_json = true;
        break;
    case 'r':
        arguments->is_recursive = true;
        break;
    case 'A':
        arguments->is_all = true;
        break;
    }
}

enum status option_take(struct arguments *arguments, int letter, char *text)
{
    switch (letter) {
    case 'T':
        return take_timeout(arguments, text);
    case 'm':
        return take_metadata(arguments, text);
    case 'L':
        return take_ttl(arguments, text);
    case 'R':
        return take_range(arguments, text);
    case 'n':
        return take_limit(arguments, text);
    case 'F':
        return take_version(arguments, text, &arguments->from);
    case 'a':
        return take_after(arguments, text);
    case 'x':
        return take_until(arguments, MEMSTORE_UNTIL_EXISTS);
    case 'g':
        return take_until(arguments, MEMSTORE_UNTIL_GONE);
    case 'c':
        return take_until(arguments, MEMSTORE_UNTIL_CHANGED);
    }
    take_plain(arguments, letter, text);
    return STATUS_DONE;
}
