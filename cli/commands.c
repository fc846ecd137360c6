#include "commands.h"

#include "bucket.h"
#include "help.h"
#include "objects.h"
#include "options.h"
#include "report.h"
#include "top.h"
#include "transfer.h"
#include "tree.h"
#include "waiting.h"

#include <stdio.h>
#include <string.h>

static const struct command put_tree = {
    .name = "put",
    .options = "rtmLJ",
    .operands = "a folder and at most one prefix",
    .least = 1,
    .most = 2,
    .run = tree_put,
};
static const struct command get_tree = {
    .name = "get",
    .options = "rJ",
    .operands = "a prefix and a folder",
    .least = 2,
    .most = 2,
    .run = tree_get,
};
static const struct command rm_tree = {
    .name = "rm",
    .options = "rAJ",
    .operands = "at most one prefix",
    .least = 0,
    .most = 1,
    .run = tree_rm,
};

static const struct command bucket_commands[] = {
    {.name = "bucket create",
     .options = "MOpLke",
     .operands = "one name",
     .least = 1,
     .most = 1,
     .run = bucket_create,
     .help = help_bucket_create,
     .child = CHILD_IF_EPHEMERAL,
     .is_global = true},
    {.name = "bucket drop",
     .options = "",
     .operands = "at least one name",
     .least = 1,
     .most = -1,
     .run = bucket_drop,
     .help = help_bucket_drop,
     .is_global = true},
    {.name = "bucket ls",
     .options = "lJ",
     .operands = "",
     .least = 0,
     .most = 0,
     .run = bucket_ls,
     .help = help_bucket_ls,
     .is_global = true},
    {.name = "bucket info",
     .options = "J",
     .operands = "one name",
     .least = 1,
     .most = 1,
     .run = bucket_info,
     .help = help_bucket_info,
     .is_global = true},
    {.name = "bucket set",
     .options = "MOpL",
     .operands = "one name",
     .least = 1,
     .most = 1,
     .run = bucket_set,
     .help = help_bucket_set,
     .is_global = true},
    {0},
};

/* In the order in which people are told of them. */
static const struct command commands[] = {
    {.name = "put",
     .options = "tmLe" OPTIONS_CONDITION,
     .operands = "a key and at most one file",
     .least = 1,
     .most = 2,
     .run = transfer_put,
     .help = help_put,
     .recursive = &put_tree,
     .child = CHILD_IF_EPHEMERAL},
    {.name = "get",
     .options = "RX",
     .operands = "a key and at most one file",
     .least = 1,
     .most = 2,
     .run = transfer_get,
     .help = help_get,
     .recursive = &get_tree},
    {.name = "exists",
     .options = "",
     .operands = "one key",
     .least = 1,
     .most = 1,
     .run = objects_exists,
     .help = help_exists},
    {.name = "rm",
     .options = "PIE",
     .operands = "at least one key",
     .least = 1,
     .most = -1,
     .run = objects_rm,
     .help = help_rm,
     .recursive = &rm_tree},
    {.name = "ls",
     .options = "ln0J",
     .operands = "at most one prefix",
     .least = 0,
     .most = 1,
     .run = objects_ls,
     .help = help_ls},
    {.name = "info",
     .options = "J",
     .operands = "one key",
     .least = 1,
     .most = 1,
     .run = objects_info,
     .help = help_info},
    {.name = "cp",
     .options = "B" OPTIONS_CONDITION,
     .operands = "a source key and a target key",
     .least = 2,
     .most = 2,
     .run = objects_cp,
     .help = help_cp},
    {.name = "mv",
     .options = "B" OPTIONS_CONDITION,
     .operands = "a source key and a target key",
     .least = 2,
     .most = 2,
     .run = objects_mv,
     .help = help_mv},
    {.name = "touch",
     .options = "LPIE",
     .operands = "one key",
     .least = 1,
     .most = 1,
     .run = objects_touch,
     .help = help_touch},
    {.name = "add",
     .options = OPTIONS_CONDITION,
     .operands = "a key and at most one number",
     .least = 1,
     .most = 2,
     .run = objects_add,
     .help = help_add,
     .takes_number = true},
    {.name = "url",
     .options = "",
     .operands = "one key",
     .least = 1,
     .most = 1,
     .run = objects_url,
     .help = help_url,
     .is_offline = true},
    {.name = "wait",
     .options = "xgcaJ",
     .operands = "one key",
     .least = 1,
     .most = 1,
     .run = waiting_wait,
     .help = help_wait,
     .waits = true},
    {.name = "watch",
     .options = "FnJ",
     .operands = "at most one prefix",
     .least = 0,
     .most = 1,
     .run = waiting_watch,
     .help = help_watch,
     .waits = true},
    {.name = "lock",
     .options = "",
     .operands = "a name, and behind -- a command",
     .least = 1,
     .most = 1,
     .run = waiting_lock,
     .help = help_lock,
     .child = CHILD_MUST,
     .waits = true},
    {.name = "once",
     .options = "tmL",
     .operands = "a key, and behind -- a command",
     .least = 1,
     .most = 1,
     .run = waiting_once,
     .help = help_once,
     .child = CHILD_MUST,
     .waits = true},
    {.name = "bucket", .options = "", .help = help_bucket, .parts = bucket_commands},
    {.name = "stats",
     .options = "J",
     .operands = "",
     .least = 0,
     .most = 0,
     .run = report_stats,
     .help = help_stats,
     .is_global = true},
    {.name = "holders",
     .options = "J",
     .operands = "",
     .least = 0,
     .most = 0,
     .run = report_holders,
     .help = help_holders,
     .is_global = true},
    {.name = "top",
     .options = "iSoJ",
     .operands = "",
     .least = 0,
     .most = 0,
     .run = top_run,
     .help = help_top,
     .is_global = true,
     .timeout_ms = 1000},
    {0},
};

const struct command *command_find(const struct command *group, const char *name)
{
    size_t skipped = group ? strlen(group->name) + 1 : 0;

    for (const struct command *one = group ? group->parts : commands; one->name; one++) {
        if (strcmp(one->name + skipped, name) == 0)
            return one;
    }
    return NULL;
}

bool command_has_option(const struct command *command, int letter)
{
    return command && strchr(command->options, letter);
}

const char *commands_names(char text[COMMANDS_NAMES_MAX], const struct command *group)
{
    size_t skipped = group ? strlen(group->name) + 1 : 0;
    size_t length = 0;

    text[0] = '\0';
    for (const struct command *one = group ? group->parts : commands; one->name; one++) {
        const char *before = length == 0 ? "" : one[1].name ? ", " : " or ";

        if (length < COMMANDS_NAMES_MAX)
            length += (size_t)snprintf(text + length, COMMANDS_NAMES_MAX - length, "%s%s", before,
                                       one->name + skipped);
    }
    return text;
}
