#include "options.h"

#include "arguments.h"
#include "option_values.h"

#include <stddef.h>

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
    {"if-absent", no_argument, NULL, 'N'},
    {"if-present", no_argument, NULL, 'P'},
    {"if-version", required_argument, NULL, 'I'},
    {"if-etag", required_argument, NULL, 'E'},
    {"if-not-version", required_argument, NULL, 'X'},
    {"to-bucket", required_argument, NULL, 'B'},
    {"ephemeral", no_argument, NULL, 'e'},
    {"max-size", required_argument, NULL, 'M'},
    {"max-objects", required_argument, NULL, 'O'},
    {"policy", required_argument, NULL, 'p'},
    {"exist-ok", no_argument, NULL, 'k'},
    {"interval", required_argument, NULL, 'i'},
    {"sort", required_argument, NULL, 'S'},
    {"once", no_argument, NULL, 'o'},
    {NULL, 0, NULL, 0},
};

const struct option *option_find(int letter)
{
    const struct option *option = options_long;

    while (option->name && option->val != letter)
        option++;
    return option;
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
    case 'B':
        arguments->to_bucket = text;
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
    case 'e':
        arguments->is_ephemeral = true;
        break;
    case 'o':
        arguments->is_once = true;
        break;
    case 'N':
        arguments->condition.if_absent = 1;
        break;
    case 'P':
        arguments->condition.if_present = 1;
        break;
    case 'k':
        arguments->settings.exist_ok = 1;
        break;
    }
}

enum status option_take(struct arguments *arguments, int letter, char *text)
{
    switch (letter) {
    case 'T':
        return value_timeout(arguments, text);
    case 'm':
        return value_metadata(arguments, text);
    case 'L':
        return value_ttl(arguments, text);
    case 'R':
        return value_range(arguments, text);
    case 'n':
        return value_limit(arguments, text);
    case 'F':
        return value_version(arguments, text, &arguments->from);
    case 'a':
        return value_after(arguments, text);
    case 'X':
        return value_version(arguments, text, &arguments->known_version);
    case 'I':
        return value_if_version(arguments, text);
    case 'E':
        return value_if_etag(arguments, text);
    case 'M':
        return value_max_size(arguments, text);
    case 'O':
        return value_max_objects(arguments, text);
    case 'p':
        return value_policy(arguments, text);
    case 'i':
        return value_interval(arguments, text);
    case 'S':
        return value_order(arguments, text);
    case 'x':
        return value_until(arguments, MEMSTORE_UNTIL_EXISTS);
    case 'g':
        return value_until(arguments, MEMSTORE_UNTIL_GONE);
    case 'c':
        return value_until(arguments, MEMSTORE_UNTIL_CHANGED);
    }
    take_plain(arguments, letter, text);
    return STATUS_DONE;
}
