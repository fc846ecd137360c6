#include "bucket.h"

#include "arguments.h"
#include "bucket_show.h"
#include "client/memstore.h"
#include "ephemeral.h"

#include <errno.h>
#include <stdlib.h>

/* For errors in which -ENOENT speaks of a bucket. */
static enum status complain_bucket(int error)
{
    enum status status = complain_key(error);

    if (error == -EPERM)
        return STATUS_FAILED;
    return error == -EEXIST ? STATUS_CONFLICT : status;
}

/* What the command line says to set. Among objects no lifetime is -1, here it is 0. */
static struct memstore_bucket_options settings_of(const struct arguments *arguments)
{
    struct memstore_bucket_options settings = arguments->settings;

    settings.has_ttl = arguments->ttl_ms != 0;
    settings.ttl_ms = arguments->ttl_ms > 0 ? arguments->ttl_ms : 0;
    settings.ephemeral = arguments->is_ephemeral;
    return settings;
}

/* An ephemeral one ends with its handle, which is why that has a handle of its own. */
static enum status create_ephemeral(const struct arguments *arguments)
{
    const struct memstore_bucket_options settings = settings_of(arguments);
    const struct memstore_options options = arguments_store(arguments);
    struct memstore *owner;
    enum status status;
    int error = memstore_open(&options, &owner);

    if (error)
        return complain_store(error);
    error = memstore_bucket_create(owner, arguments->operands[0], &settings);
    if (!error)
        return ephemeral_bucket_run(owner, arguments);
    status = complain_bucket(error);
    memstore_close(owner);
    return status;
}

enum status bucket_create(struct memstore *store, const struct arguments *arguments)
{
    const struct memstore_bucket_options settings = settings_of(arguments);
    int error;

    if (arguments->is_ephemeral)
        return create_ephemeral(arguments);
    error = memstore_bucket_create(store, arguments->operands[0], &settings);
    return error ? complain_bucket(error) : STATUS_DONE;
}

enum status bucket_drop(struct memstore *store, const struct arguments *arguments)
{
    enum status worst = STATUS_DONE;

    for (int i = 0; i < arguments->operand_count && worst != STATUS_UNREACHABLE; i++) {
        int error = memstore_bucket_drop(store, arguments->operands[i]);
        enum status status = error ? complain_bucket(error) : STATUS_DONE;

        if (status > worst)
            worst = status;
    }
    return worst;
}

enum status bucket_ls(struct memstore *store, const struct arguments *arguments)
{
    struct memstore_bucket_info *buckets;
    enum status status = STATUS_DONE;
    size_t count;
    int error = memstore_bucket_list(store, &buckets, &count, sizeof(*buckets));

    if (error)
        return complain_store(error);
    if (arguments->is_json)
        status = bucket_json_list(buckets, count);
    else if (arguments->is_long)
        bucket_print_long_list(buckets, count);
    else
        bucket_print_list(buckets, count);
    free(buckets);
    return status;
}

enum status bucket_info(struct memstore *store, const struct arguments *arguments)
{
    struct memstore_bucket_info bucket;
    int error = memstore_bucket_info(store, arguments->operands[0], &bucket, sizeof(bucket));

    if (error)
        return complain_bucket(error);
    if (arguments->is_json)
        return bucket_json(&bucket);
    bucket_print(&bucket);
    return STATUS_DONE;
}

enum status bucket_set(struct memstore *store, const struct arguments *arguments)
{
    const struct memstore_bucket_options settings = settings_of(arguments);
    int error = memstore_bucket_set(store, arguments->operands[0], &settings);

    return error ? complain_bucket(error) : STATUS_DONE;
}
