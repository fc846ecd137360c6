#include "arguments.h"

#include "commands.h"
#include "common/size.h"
#include "key.h"

#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Long options without a short form have a capital letter, which the short forms do not list. */
static const struct option long_options[] = {
    {"socket", required_argument, NULL, 's'}, {"timeout", required_argument, NULL, 'T'},
    {"help", no_argument, NULL, 'h'},         {"version", no_argument, NULL, 'V'},
    {"type", required_argument, NULL, 't'},   {"metadata", required_argument, NULL, 'm'},
    {"range", required_argument, NULL, 'R'},  {"long", no_argument, NULL, 'l'},
    {"limit", required_argument, NULL, 'n'},  {"null", no_argument, NULL, '0'},
    {"json", no_argument, NULL, 'J'},         {"recursive", no_argument, NULL, 'r'},
    {"all", no_argument, NULL, 'A'},          {NULL, 0, NULL, 0},
};
#define SHORT_OPTIONS ":s:ht:m:ln:0r"
#define OPTIONS_EVERYWHERE "sThV"

/* The option with this letter; if there is none, the end of the table, without a name. */
static const struct option *option_find(int letter)
{
    const struct option *option = long_options;

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
    char *end;
    double seconds = strtod(text, &end);

    if (!*text || *end || text[strspn(text, "0123456789.")] || !(seconds > 0) ||
        seconds > (double)(INT_MAX / 1000))
        return complain_usage(command_name(arguments), "'%s' is not a number of seconds above 0",
                              text);
    arguments->timeout_ms = seconds < 0.001 ? 1 : (int)(seconds * 1000);
    return STATUS_DONE;
}

static enum status take_metadata(struct arguments *arguments, char *text)
{
    char *equals = strchr(text, '=');

    if (!equals)
        return complain_usage("put", "metadata '%s' is not of the form NAME=VALUE", text);
    *equals = '\0';
    for (const struct memstore_metadata *pair = arguments->metadata; pair->name; pair++) {
        if (strcmp(pair->name, text) == 0)
            return complain_usage("put", "metadata '%s' is given twice", text);
    }
    arguments->metadata[arguments->metadata_count++] =
        (struct memstore_metadata){.name = text, .value = equals + 1};
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

static enum status take_limit(struct arguments *arguments, const char *text)
{
    if (!*text || text[strspn(text, "0123456789")] || size_parse(text, &arguments->limit) != 0)
        return complain_usage("ls", "limit '%s' is not a number", text);
    arguments->has_limit = true;
    return STATUS_DONE;
}

static enum status take_option(struct arguments *arguments, int option, char *text)
{
    switch (option) {
    case 'T':
        return take_timeout(arguments, text);
    case 'm':
        return take_metadata(arguments, text);
    case 'R':
        return take_range(arguments, text);
    case 'n':
        return take_limit(arguments, text);
    case 's':
        arguments->socket = text;
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
    return STATUS_DONE;
}

/* What getopt_long did not understand: optopt has its letter, or 0 for an unknown long one. */
static enum status refuse_option(const struct arguments *arguments, int problem, char **argv)
{
    const char *name = command_name(arguments);

    if (problem == ':')
        return complain_usage(name, "option '%s' needs an argument", argv[optind - 1]);
    if (optopt == 0)
        return complain_usage(name, "there is no option '%s'", argv[optind - 1]);
    if (option_find(optopt)->name && strncmp(argv[optind - 1], "--", 2) == 0)
        return complain_usage(name, "option '%s' takes no argument", argv[optind - 1]);
    return complain_usage(name, "there is no option '-%c'", optopt);
}

static enum status refuse_misplaced(const struct arguments *arguments, int option)
{
    const char *name = option_find(option)->name;

    if (!arguments->command)
        return complain_usage("", "option --%s belongs after a command", name);
    return complain_usage(arguments->command->name, "%s has no option --%s",
                          arguments->command->name, name);
}

/* Reads the options of argv[1] and on. `prefix` "+" stops at the first operand. */
static enum status scan(struct arguments *arguments, const char *prefix, int argc, char **argv)
{
    const char *own = arguments->command ? arguments->command->options : "";
    char short_options[sizeof(SHORT_OPTIONS) + 1];
    enum status status = STATUS_DONE;
    int option;

    snprintf(short_options, sizeof(short_options), "%s%s", prefix, SHORT_OPTIONS);
    opterr = 0;
    optind = 0; /* makes glibc forget an earlier scan */
    while (status == STATUS_DONE) {
        option = getopt_long(argc, argv, short_options, long_options, NULL);
        if (option == -1)
            break;
        if (option == '?' || option == ':')
            status = refuse_option(arguments, option, argv);
        else if (!strchr(OPTIONS_EVERYWHERE, option) && !strchr(own, option))
            status = refuse_misplaced(arguments, option);
        else
            status = take_option(arguments, option, optarg);
    }
    return status;
}

/* What goes together with --recursive, and what only with it. */
static enum status check_recursive(const struct arguments *arguments)
{
    const char *name = arguments->command->name;
    bool has_range = arguments->offset > 0 || arguments->length != MEMSTORE_TO_END;

    if (!arguments->is_recursive && arguments->is_all)
        return complain_usage(name, "--all goes with --recursive");
    if (!arguments->is_recursive && arguments->is_json && arguments->command->recursive)
        return complain_usage(name, "%s has --json only with --recursive", name);
    if (arguments->is_recursive && has_range)
        return complain_usage(name, "--range and --recursive exclude each other");
    return STATUS_DONE;
}

/* Everything is removed only by who says so. */
static enum status check_prefix(const struct arguments *arguments)
{
    const char *prefix = arguments_operand(arguments, 0);
    bool is_empty = !prefix || key_of_argument(prefix).length == 0;

    if (arguments->is_all && !is_empty)
        return complain_usage("rm", "--all and a prefix exclude each other");
    if (arguments->is_recursive && !arguments->is_all && is_empty)
        return complain_usage("rm", "rm --recursive needs a prefix, or --all to remove everything");
    return STATUS_DONE;
}

static enum status check_operands(const struct arguments *arguments)
{
    const struct command *command = arguments->command;

    if (arguments->operand_count < command->least)
        return complain_usage(command->name, "%s needs %s", command->name, command->operands);
    if (command->most >= 0 && arguments->operand_count > command->most)
        return complain_usage(command->name, "'%s' is too much: %s takes %s",
                              arguments->operands[command->most], command->name,
                              *command->operands ? command->operands : "options only");
    if (arguments->is_json && arguments->ends_with_nul)
        return complain_usage(command->name, "--json and --null exclude each other");
    return strcmp(command->name, "rm") == 0 ? check_prefix(arguments) : STATUS_DONE;
}

static enum status find_command(struct arguments *arguments, const char *name)
{
    if (!name)
        return complain_usage("", "which command? put, get, exists, rm, ls, info, cp, mv, url or "
                                  "stats");
    arguments->command = command_find(name);
    if (!arguments->command)
        return complain_usage("", "there is no command '%s'", name);
    return STATUS_DONE;
}

enum status arguments_init(struct arguments *arguments, int argc, char **argv)
{
    enum status status;
    int start;

    *arguments = (struct arguments){.length = MEMSTORE_TO_END};
    arguments->metadata = calloc((size_t)argc + 1, sizeof(*arguments->metadata));
    if (!arguments->metadata) {
        complain("out of memory");
        return STATUS_FULL;
    }
    status = scan(arguments, "+", argc, argv);
    if (status != STATUS_DONE || arguments->help || arguments->version)
        return status;
    start = optind;
    status = find_command(arguments, argv[start]);
    if (status == STATUS_DONE)
        status = scan(arguments, "", argc - start, argv + start);
    if (status != STATUS_DONE || arguments->help || arguments->version)
        return status;
    arguments->operands = argv + start + optind;
    arguments->operand_count = argc - start - optind;
    status = check_recursive(arguments);
    if (arguments->is_recursive && status == STATUS_DONE)
        arguments->command = arguments->command->recursive;
    return status == STATUS_DONE ? check_operands(arguments) : status;
}

void arguments_finish(struct arguments *arguments)
{
    free(arguments->metadata);
    *arguments = (struct arguments){0};
}

const char *arguments_operand(const struct arguments *arguments, int index)
{
    return index < arguments->operand_count ? arguments->operands[index] : NULL;
}
