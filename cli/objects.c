#include "objects.h"

#include "arguments.h"
#include "client/memstore.h"
#include "condition.h"
#include "json.h"
#include "key.h"
#include "print.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

static struct key key_operand(const struct arguments *arguments, int index)
{
    return key_of_argument(arguments->operands[index]);
}

enum status objects_exists(struct memstore *store, const struct arguments *arguments)
{
    struct key key = key_operand(arguments, 0);
    int answer = memstore_exists(store, key.bytes, key.length);

    if (answer >= 0)
        return answer ? STATUS_DONE : STATUS_MISSING;
    return complain_store(answer);
}

/* Complains of a change that failed. */
static enum status complain_change(struct memstore *store, const struct arguments *arguments,
                                   const struct key *source, int error)
{
    enum status status = complain_key(error);

    return condition_status(store, arguments_condition(arguments), source, error, status);
}

static enum status remove_one(struct memstore *store, const struct arguments *arguments, int index)
{
    struct key key = key_operand(arguments, index);
    int error = memstore_delete_if(store, key.bytes, key.length, arguments_condition(arguments));

    return error ? complain_change(store, arguments, NULL, error) : STATUS_DONE;
}

enum status objects_rm(struct memstore *store, const struct arguments *arguments)
{
    enum status worst = STATUS_DONE;

    for (int i = 0; i < arguments->operand_count; i++) {
        enum status status = remove_one(store, arguments, i);

        if (status > worst)
            worst = status;
        if (status == STATUS_UNREACHABLE)
            break;
    }
    return worst;
}

enum status objects_ls(struct memstore *store, const struct arguments *arguments)
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

enum status objects_info(struct memstore *store, const struct arguments *arguments)
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

typedef int pair_call(struct memstore *store, const void *source, size_t source_length,
                      const void *target, size_t target_length,
                      const struct memstore_pair_options *options,
                      struct memstore_object **ret_object);

static enum status run_pair(struct memstore *store, const struct arguments *arguments,
                            pair_call *call)
{
    struct key source = key_operand(arguments, 0);
    struct key target = key_operand(arguments, 1);
    const struct memstore_pair_options options = {
        .size = sizeof(options),
        .bucket = arguments->to_bucket,
        .condition = arguments_condition(arguments),
    };
    int error =
        call(store, source.bytes, source.length, target.bytes, target.length, &options, NULL);

    return error ? complain_change(store, arguments, &source, error) : STATUS_DONE;
}

enum status objects_cp(struct memstore *store, const struct arguments *arguments)
{
    return run_pair(store, arguments, memstore_copy_to);
}

enum status objects_mv(struct memstore *store, const struct arguments *arguments)
{
    return run_pair(store, arguments, memstore_move_to);
}

enum status objects_url(struct memstore *store, const struct arguments *arguments)
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

enum status objects_touch(struct memstore *store, const struct arguments *arguments)
{
    struct key key = key_operand(arguments, 0);
    int error = memstore_touch(store, key.bytes, key.length, arguments->ttl_ms,
                               arguments_condition(arguments), NULL);

    return error ? complain_change(store, arguments, NULL, error) : STATUS_DONE;
}

enum status objects_add(struct memstore *store, const struct arguments *arguments)
{
    struct key key = key_operand(arguments, 0);
    int64_t sum;
    int error = memstore_add_if(store, key.bytes, key.length, arguments->delta,
                                arguments_condition(arguments), &sum, NULL);

    if (error)
        return complain_change(store, arguments, NULL, error);
    printf("%" PRId64 "\n", sum);
    return STATUS_DONE;
}
