#include "arguments.h"

#include "commands.h"
#include "key.h"
#include "options.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *command_name(const struct arguments *arguments)
{
    return arguments->command ? arguments->command->name : "";
}

/* ---- options and operands ---- */

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

static bool has_option(const struct command *command, int letter)
{
    return command && strchr(command->options, letter);
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

    if (!strchr(OPTIONS_EVERYWHERE, letter) && !has_option(command, letter) &&
        !(command && has_option(command->recursive, letter)))
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
 * Takes what follows the options. After "--" come operands that may look like options; the command
 * to be run, if there can be one, begins behind the "--" that has all other operands before it.
 */
static void take_rest(struct arguments *arguments, char **rest, bool has_dashes)
{
    const struct command *command = arguments->command;

    if (!has_dashes)
        return;
    if (command->child == CHILD_NONE) {
        while (*rest)
            arguments->operands[arguments->operand_count++] = *rest++;
        return;
    }
    if (arguments->operand_count < command->least) {
        while (*rest && strcmp(*rest, "--") != 0)
            arguments->operands[arguments->operand_count++] = *rest++;
        if (!*rest++)
            return;
    }
    arguments->child = rest;
}

/* ---- what goes together ---- */

static enum status check_recursive(const struct arguments *arguments)
{
    const struct command *command = arguments->command;
    const struct command *chosen = arguments->is_recursive ? command->recursive : command;

    for (int letter = 1; letter < (int)sizeof(arguments->given); letter++) {
        if (!arguments->given[letter] || strchr(OPTIONS_EVERYWHERE, letter) ||
            has_option(chosen, letter))
            continue;
        if (arguments->is_recursive)
            return complain_usage(command->name, "--%s and --recursive exclude each other",
                                  option_find(letter)->name);
        return complain_usage(command->name, "%s has --%s only with --recursive", command->name,
                              option_find(letter)->name);
    }
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
    if (command->child == CHILD_MUST && !arguments->child)
        return complain_usage(command->name, "%s needs -- and a command", command->name);
    if (arguments->child && !*arguments->child)
        return complain_usage(command->name, "no command stands behind --");
    if (arguments->is_json && arguments->ends_with_nul)
        return complain_usage(command->name, "--json and --null exclude each other");
    return strcmp(command->name, "rm") == 0 ? check_prefix(arguments) : STATUS_DONE;
}

/* ---- the whole line ---- */

static enum status find_command(struct arguments *arguments, const char *name)
{
    const struct command *group = arguments->command;
    char names[COMMANDS_NAMES_MAX];

    if (!name)
        return complain_usage(command_name(arguments), "which command? %s",
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
    if (status == STATUS_DONE)
        take_rest(arguments, argv + optind, has_dashes);
    return status;
}

enum status arguments_init(struct arguments *arguments, int argc, char **argv)
{
    enum status status;

    *arguments = (struct arguments){.length = MEMSTORE_TO_END, .from = MEMSTORE_FROM_NOW};
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
    return status == STATUS_DONE ? check_operands(arguments) : status;
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
