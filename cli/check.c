#include "check.h"

#include "arguments.h"
#include "commands.h"
#include "key.h"
#include "options.h"

#include <string.h>

enum status check_recursive(const struct arguments *arguments)
{
    const struct command *command = arguments->command;
    const struct command *chosen = arguments->is_recursive ? command->recursive : command;

    for (int letter = 1; letter < (int)sizeof(arguments->given); letter++) {
        if (!arguments->given[letter] || strchr(OPTIONS_EVERYWHERE, letter) ||
            command_has_option(chosen, letter))
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

static enum status check_condition(const struct arguments *arguments)
{
    const struct memstore_condition *condition = &arguments->condition;
    const char *name = arguments_name(arguments);

    if (condition->if_absent &&
        (condition->if_present || condition->has_version || condition->etag))
        return complain_usage(name, "--if-absent and other conditions exclude each other");
    if (arguments_condition(arguments) && strcmp(name, "rm") == 0 && arguments->operand_count > 1)
        return complain_usage(name, "rm takes one key if there is a condition");
    if (arguments->given['X'] && arguments->given['R'])
        return complain_usage(name, "--if-not-version and --range exclude each other");
    return STATUS_DONE;
}

static enum status check_settings(const struct arguments *arguments)
{
    const struct memstore_bucket_options *settings = &arguments->settings;
    const char *name = arguments_name(arguments);

    if (arguments->is_ephemeral && settings->exist_ok)
        return complain_usage(name, "--ephemeral and --exist-ok exclude each other");
    if (strcmp(name, "bucket set") == 0 && !settings->has_max_size && !settings->has_max_objects &&
        !settings->has_policy && !arguments->given['L'])
        return complain_usage(name, "what is to be set? --max-size, --max-objects, --policy or "
                                    "--ttl");
    return STATUS_DONE;
}

static enum status check_child(const struct arguments *arguments)
{
    const struct command *command = arguments->command;

    if (command->child == CHILD_MUST && !arguments->child)
        return complain_usage(command->name, "%s needs -- and a command", command->name);
    if (arguments->child && !*arguments->child)
        return complain_usage(command->name, "no command stands behind --");
    if (arguments->is_ephemeral && !arguments->child)
        return complain_usage(command->name,
                              "what is ephemeral ends with a command: give one behind --");
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

enum status check_arguments(const struct arguments *arguments)
{
    enum status status = check_operands(arguments);

    if (status == STATUS_DONE)
        status = check_condition(arguments);
    if (status == STATUS_DONE)
        status = check_settings(arguments);
    return status == STATUS_DONE ? check_child(arguments) : status;
}
