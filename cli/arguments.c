#include "arguments.h"

#include "check.h"
#include "commands.h"
#include "option_values.h"
#include "options.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *arguments_name(const struct arguments *arguments)
{
    return arguments->command ? arguments->command->name : "";
}

/* ---- options and operands ---- */

/* What getopt_long did not understand: optopt has its letter, or 0 for an unknown long one. */
static enum status refuse_option(const struct arguments *arguments, int problem, char **argv)
{
    const char *name = arguments_name(arguments);

    if (problem == ':')
        return complain_usage(name, "option '%s' needs an argument", argv[optind - 1]);
    if (optopt == 0)
        return complain_usage(name, "there is no option '%s'", argv[optind - 1]);
    if (option_find(optopt)->name && strncmp(argv[optind - 1], "--", 2) == 0)
        return complain_usage(name, "option '%s' takes no argument", argv[optind - 1]);
    return complain_usage(name, "there is no option '-%c'", optopt);
}

static enum status refuse_misplaced(const struct arguments *arguments, int letter)
{
    const char *name = option_find(letter)->name;

    if (!arguments->command)
        return complain_usage("", "option --%s belongs after a command", name);
    return complain_usage(arguments->command->name, "%s has no option --%s",
                          arguments->command->name, name);
}

/* What is fine with --recursive alone, or without it alone, is looked at when all are read. */
static enum status take(struct arguments *arguments, int letter, char *text)
{
    const struct command *command = arguments->command;

    if (!strchr(OPTIONS_EVERYWHERE, letter) && !command_has_option(command, letter) &&
        !(command && command_has_option(command->recursive, letter)))
        return refuse_misplaced(arguments, letter);
    arguments->given[letter] = 1;
    return option_take(arguments, letter, text);
}

/* A number below zero looks like an option, and is what `add` may be given. */
static bool take_number(struct arguments *arguments, char **argv)
{
    char *text = argv[optind];

    if (!arguments->command || !arguments->command->takes_number || !text || text[0] != '-' ||
        !text[1] || text[1 + strspn(text + 1, "0123456789")])
        return false;
    arguments->operands[arguments->operand_count++] = text;
    optind++;
    return true;
}

/*
 * Reads what stands before "--" in argv[1] and on; optind is then what comes next. `prefix` "+":
 * stops at the first operand; "-": takes operands as well. Tells whether it met "--".
 */
static enum status scan(struct arguments *arguments, const char *prefix, int argc, char **argv,
                        bool *ret_has_dashes)
{
    char letters[sizeof(OPTIONS_SHORT) + 1];
    enum status status = STATUS_DONE;
    const char *argument = NULL;
    int letter = 0;

    snprintf(letters, sizeof(letters), "%s%s", prefix, OPTIONS_SHORT);
    opterr = 0;
    optind = 0; /* makes glibc forget an earlier scan */
    while (status == STATUS_DONE && letter != -1) {
        if (optind > 0 && *prefix == '-' && take_number(arguments, argv))
            continue;
        letter = getopt_long(argc, argv, letters, options_long, NULL);
        if (letter == '?' || letter == ':')
            status = refuse_option(arguments, letter, argv);
        else if (letter == 1)
            arguments->operands[arguments->operand_count++] = optarg;
        else if (letter != -1)
            status = take(arguments, letter, optarg);
        argument = optarg ? optarg : argument;
    }
    *ret_has_dashes =
        optind > 1 && strcmp(argv[optind - 1], "--") == 0 && argv[optind - 1] != argument;
    return status;
}

/*
 * Takes what follows "--": operands that may look like options. The command to be run, if there is
 * to be one, begins behind the "--" that has all operands that must be there before it.
 */
static void take_rest(struct arguments *arguments, char **rest)
{
    const struct command *command = arguments->command;
    bool may_run = command->child == CHILD_MUST ||
                   (command->child == CHILD_IF_EPHEMERAL && arguments->is_ephemeral);

    if (may_run && arguments->operand_count >= command->least) {
        arguments->child = rest;
        return;
    }
    for (; *rest; rest++) {
        if (may_run && arguments->operand_count >= command->least && strcmp(*rest, "--") == 0) {
            arguments->child = rest + 1;
            return;
        }
        arguments->operands[arguments->operand_count++] = *rest;
    }
}

/* ---- the whole line ---- */

static enum status find_command(struct arguments *arguments, const char *name)
{
    const struct command *group = arguments->command;
    char names[COMMANDS_NAMES_MAX];

    if (!name)
        return complain_usage(arguments_name(arguments), "which command? %s",
                              commands_names(names, group));
    arguments->command = command_find(group, name);
    if (arguments->command)
        return STATUS_DONE;
    return complain_usage(group ? group->name : "", "there is no command '%s%s%s'",
                          group ? group->name : "", group ? " " : "", name);
}

static enum status read_line(struct arguments *arguments, int argc, char **argv)
{
    enum status status;
    bool has_dashes;

    do {
        status = scan(arguments, "+", argc, argv, &has_dashes);
        if (status != STATUS_DONE || arguments->help || arguments->version)
            return status;
        argc -= optind;
        argv += optind;
        status = find_command(arguments, *argv);
    } while (status == STATUS_DONE && arguments->command->parts);
    if (status == STATUS_DONE)
        status = scan(arguments, "-", argc, argv, &has_dashes);
    if (status == STATUS_DONE && has_dashes)
        take_rest(arguments, argv + optind);
    return status;
}

enum status arguments_init(struct arguments *arguments, int argc, char **argv)
{
    enum status status;

    *arguments = (struct arguments){
        .length = MEMSTORE_TO_END,
        .from = MEMSTORE_FROM_NOW,
        .delta = 1,
        .interval_ms = 1000,
        .condition.size = sizeof(arguments->condition),
        .settings.size = sizeof(arguments->settings),
    };
    arguments->metadata = calloc((size_t)argc + 1, sizeof(*arguments->metadata));
    arguments->operands = calloc((size_t)argc + 1, sizeof(*arguments->operands));
    if (!arguments->metadata || !arguments->operands) {
        complain("out of memory");
        return STATUS_FULL;
    }
    status = read_line(arguments, argc, argv);
    if (status != STATUS_DONE || arguments->help || arguments->version)
        return status;
    status = check_recursive(arguments);
    if (status == STATUS_DONE && arguments->is_recursive)
        arguments->command = arguments->command->recursive;
    if (status == STATUS_DONE)
        status = check_arguments(arguments);
    if (status == STATUS_DONE && arguments->command->takes_number && arguments->operand_count > 1)
        status = value_delta(arguments, arguments->operands[1]);
    return status;
}

void arguments_finish(struct arguments *arguments)
{
    free(arguments->operands);
    free(arguments->metadata);
    *arguments = (struct arguments){0};
}

const char *arguments_operand(const struct arguments *arguments, int index)
{
    return index < arguments->operand_count ? arguments->operands[index] : NULL;
}

struct memstore_options arguments_store(const struct arguments *arguments)
{
    const struct command *command = arguments->command;
    int timeout_ms = command->timeout_ms;

    if (arguments->timeout_ms > 0 && !command->waits)
        timeout_ms = arguments->timeout_ms;
    return (struct memstore_options){
        .size = sizeof(struct memstore_options),
        .socket = arguments->socket,
        .bucket = command->is_global ? "default" : arguments->bucket,
        .timeout_ms = timeout_ms,
    };
}

const struct memstore_condition *arguments_condition(const struct arguments *arguments)
{
    for (const char *letter = OPTIONS_CONDITION; *letter; letter++) {
        if (arguments->given[(unsigned char)*letter])
            return &arguments->condition;
    }
    return NULL;
}
