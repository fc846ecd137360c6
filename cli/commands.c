#include "commands.h"

#include "arguments.h"
#include "client/memstore.h"
#include "json.h"
#include "key.h"
#include "print.h"
#include "transfer.h"
#include "tree.h"

#include <stdlib.h>
#include <string.h>

static struct key key_operand(const struct arguments *arguments, int index)
{
    return key_of_argument(arguments->operands[index]);
}

static enum status command_exists(struct memstore *store, const struct arguments *arguments)
{
    struct key key = key_operand(arguments, 0);
    int answer = memstore_exists(store, key.bytes, key.length);

    if (answer >= 0)
        return answer ? STATUS_DONE : STATUS_MISSING;
    return complain_store(answer);
}

static enum status remove_one(struct memstore *store, struct key key)
{
    int error = memstore_delete(store, key.bytes, key.length);

    return error ? complain_key(error) : STATUS_DONE;
}

static enum status command_rm(struct memstore *store, const struct arguments *arguments)
{
    enum status worst = STATUS_DONE;

    for (int i = 0; i < arguments->operand_count; i++) {
        enum status status = remove_one(store, key_operand(arguments, i));

        if (status > worst)
            worst = status;
        if (status == STATUS_UNREACHABLE)
            break;
    }
    return worst;
}

static enum status command_ls(struct memstore *store, const struct arguments *arguments)
{
    struct key prefix = key_of_argument(arguments->operand_count > 0 ? arguments->operands[0] : "");
    struct memstore_list_options options = {
        .size = sizeof(options),
        .limit = arguments->limit,
        .has_limit = arguments->has_limit,
    };
    struct memstore_list *list;
    enum status status;
    int error = memstore_list(store, prefix.bytes, prefix.length, &options, &list);

    if (error)
        return complain_store(error);
    if (arguments->is_json)
        status = json_list(list);
    else if (arguments->is_long)
        status = print_long_list(list, arguments->ends_with_nul);
    else
        status = print_list(list, arguments->ends_with_nul);
    memstore_list_free(list);
    return status;
}

static enum status command_info(struct memstore *store, const struct arguments *arguments)
{
    struct key key = key_operand(arguments, 0);
    struct memstore_object *object;
    enum status status;
    int error = memstore_info(store, key.bytes, key.length, &object);

    if (error)
        return complain_key(error);
    status = arguments->is_json ? json_object_info(object) : print_object(object);
    memstore_object_free(object);
    return status;
}

static enum status command_cp(struct memstore *store, const struct arguments *arguments)
{
    struct key source = key_operand(arguments, 0);
    struct key target = key_operand(arguments, 1);
    int error =
        memstore_copy(store, source.bytes, source.length, target.bytes, target.length, NULL);

    return error ? complain_key(error) : STATUS_DONE;
}

static enum status command_mv(struct memstore *store, const struct arguments *arguments)
{
    struct key source = key_operand(arguments, 0);
    struct key target = key_operand(arguments, 1);
    int error =
        memstore_move(store, source.bytes, source.length, target.bytes, target.length, NULL);

    return error ? complain_key(error) : STATUS_DONE;
}

static enum status command_url(struct memstore *store, const struct arguments *arguments)
{
    struct key key = key_operand(arguments, 0);
    enum status status;
    size_t length;
    char *url;
    int error = memstore_url(key.bytes, key.length, 0, &url, &length);

    (void)store;
    if (error)
        return complain_store(error);
    status = print_bytes(url, length, '\n');
    free(url);
    return status;
}

static enum status command_stats(struct memstore *store, const struct arguments *arguments)
{
    struct memstore_stats stats;
    int error = memstore_stats(store, &stats, sizeof(stats));

    if (error)
        return complain_store(error);
    return arguments->is_json ? json_stats(&stats) : print_stats(&stats);
}

static enum status command_holders(struct memstore *store, const struct arguments *arguments)
{
    struct memstore_holder *holders;
    enum status status;
    size_t count;
    int error = memstore_holders(store, &holders, &count, sizeof(*holders));

    if (error)
        return complain_store(error);
    status = arguments->is_json ? json_holders(holders, count) : print_holders(holders, count);
    free(holders);
    return status;
}

static const struct command put_tree = {
    "put", "", "a folder and at most one prefix", 1, 2, false, tree_put, NULL};
static const struct command get_tree = {"get",    "",  "a prefix and a folder", 2, 2, false,
                                        tree_get, NULL};
static const struct command rm_tree = {"rm", "", "at most one prefix", 0, 1, false, tree_rm, NULL};

static const struct command commands[] = {
    {"put", "tmrJ", "a key and at most one file", 1, 2, false, transfer_put, &put_tree},
    {"get", "RrJ", "a key and at most one file", 1, 2, false, transfer_get, &get_tree},
    {"exists", "", "one key", 1, 1, false, command_exists, NULL},
    {"rm", "rAJ", "at least one key", 1, -1, false, command_rm, &rm_tree},
    {"ls", "ln0J", "at most one prefix", 0, 1, false, command_ls, NULL},
    {"info", "J", "one key", 1, 1, false, command_info, NULL},
    {"cp", "", "a source key and a target key", 2, 2, false, command_cp, NULL},
    {"mv", "", "a source key and a target key", 2, 2, false, command_mv, NULL},
    {"url", "", "one key", 1, 1, true, command_url, NULL},
    {"stats", "J", "options only", 0, 0, false, command_stats, NULL},
    {"holders", "J", "options only", 0, 0, false, command_holders, NULL},
};

const struct command *command_find(const char *name)
{
    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
        if (strcmp(commands[i].name, name) == 0)
            return &commands[i];
    }
    return NULL;
}
