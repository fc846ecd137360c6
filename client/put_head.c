#include "put_head.h"

#include "condition.h"
#include "handle.h"
#include "message.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int value_check(const void *value, size_t size)
{
    if (size > VALUE_MAX)
        return message_fail(-EFBIG, "value of %zu bytes is too large: at most %llu", size,
                            VALUE_MAX);
    if (!value && size > 0)
        return message_fail(-EINVAL, "no value (NULL), but a size");
    return 0;
}

static int pair_compare(const void *a, const void *b)
{
    const struct memstore_metadata *const *left = a;
    const struct memstore_metadata *const *right = b;

    return strcmp((*left)->name, (*right)->name);
}

static int metadata_too_long(void)
{
    return message_fail(-E2BIG, "the metadata is too long: at most %d bytes in all", METADATA_MAX);
}

/* Adds up the length of the encoded pairs. */
static int pairs_measure(const struct memstore_put_options *options, size_t *ret_length)
{
    size_t length = 0;

    if (options->metadata_count > 0 && !options->metadata)
        return message_fail(-EINVAL, "no metadata (NULL), but a count");
    for (size_t i = 0; i < options->metadata_count; i++) {
        const struct memstore_metadata *pair = &options->metadata[i];

        if (!pair->name || !pair->value)
            return message_fail(-EINVAL, "a name or value of the metadata is NULL");
        length += sizeof(struct metadata_entry) + strnlen(pair->name, METADATA_MAX) +
                  strnlen(pair->value, METADATA_MAX);
        if (length > METADATA_MAX)
            return metadata_too_long();
    }
    *ret_length = length;
    return 0;
}

/* Makes an array of pointers to the pairs, in the order of names. */
static int pairs_sort(const struct memstore_put_options *options,
                      const struct memstore_metadata ***ret_sorted)
{
    size_t count = options->metadata_count;
    const struct memstore_metadata **sorted = calloc(count, sizeof(const void *));
    char name[QUOTED_SIZE];

    if (!sorted) {
        message_fail(-ENOMEM, "out of memory");
        return -ENOMEM;
    }
    for (size_t i = 0; i < count; i++)
        sorted[i] = &options->metadata[i];
    qsort(sorted, count, sizeof(const void *), pair_compare);
    for (size_t i = 1; i < count; i++) {
        if (strcmp(sorted[i - 1]->name, sorted[i]->name) != 0)
            continue;
        message_fail(-EINVAL, "the metadata has the name %s twice",
                     quote(name, sorted[i]->name, strlen(sorted[i]->name)));
        free(sorted);
        return -EINVAL;
    }
    *ret_sorted = sorted;
    return 0;
}

static uint8_t *append(uint8_t *place, const void *bytes, size_t length)
{
    if (length > 0)
        memcpy(place, bytes, length);
    return place + length;
}

static int pairs_encode(const struct memstore_put_options *options, uint8_t *place)
{
    const struct memstore_metadata **sorted = NULL;
    int r;

    if (options->metadata_count == 0)
        return 0;
    r = pairs_sort(options, &sorted);
    if (r != 0)
        return r;
    for (size_t i = 0; i < options->metadata_count; i++) {
        struct metadata_entry entry = {.name_length = (uint16_t)strlen(sorted[i]->name),
                                       .value_length = (uint16_t)strlen(sorted[i]->value)};

        place = append(place, &entry, sizeof(entry));
        place = append(place, sorted[i]->name, entry.name_length);
        place = append(place, sorted[i]->value, entry.value_length);
    }
    free(sorted);
    return 0;
}

int ttl_check(int64_t ttl)
{
    if (ttl < TTL_NEVER || ttl > TTL_MAX)
        return message_fail(-EINVAL,
                            "a lifetime of %lld ms is not one of 1 to %lld (0: the bucket's, -1: "
                            "without end)",
                            (long long)ttl, TTL_MAX);
    return 0;
}

static int type_measure(const char *type, size_t *ret_length)
{
    size_t length = type ? strnlen(type, CONTENT_TYPE_MAX + 1) : 0;

    if (length > CONTENT_TYPE_MAX)
        return message_fail(-E2BIG, "the content type is too long: at most %d bytes",
                            CONTENT_TYPE_MAX);
    *ret_length = length;
    return 0;
}

int put_plan_init(struct put_plan *plan, const void *key, size_t key_length,
                  const struct memstore_put_options *options)
{
    size_t type_length = 0, metadata_length = 0;
    int r = key_check(key, key_length);

    if (r == 0)
        r = options_read(&plan->options, sizeof(plan->options), options);
    if (r == 0)
        r = type_measure(plan->options.content_type, &type_length);
    if (r == 0)
        r = pairs_measure(&plan->options, &metadata_length);
    if (r == 0)
        r = ttl_check(plan->options.ttl_ms);
    if (r != 0)
        return r;
    r = condition_read(plan->options.condition, &plan->condition);
    if (r < 0)
        return r;
    plan->has_condition = r == 1;
    plan->key = key;
    plan->fixed = (struct put_request){
        .key_length = (uint16_t)key_length,
        .type_length = plan->options.content_type ? (uint16_t)type_length : NO_CONTENT_TYPE,
        .metadata_length = (uint32_t)metadata_length,
        .ttl = plan->options.ttl_ms,
        .flags = plan->options.ephemeral ? PUT_EPHEMERAL : 0};
    plan->length = sizeof(plan->fixed) + key_length + type_length + metadata_length;
    return 0;
}

int ephemeral_refuse(bool is_ephemeral)
{
    if (is_ephemeral)
        return message_fail(-EINVAL, "ephemeral objects are for memstore_put only");
    return 0;
}

int put_plan_write(const struct put_plan *plan, uint8_t *place)
{
    const struct put_request *fixed = &plan->fixed;
    size_t type_length = fixed->type_length == NO_CONTENT_TYPE ? 0 : fixed->type_length;

    place = append(place, fixed, sizeof(*fixed));
    place = append(place, plan->key, fixed->key_length);
    place = append(place, plan->options.content_type, type_length);
    return pairs_encode(&plan->options, place);
}

int put_head_init(struct put_head *head, const void *key, size_t key_length,
                  const struct memstore_put_options *options)
{
    struct put_plan plan;
    int r = put_plan_init(&plan, key, key_length, options);

    if (r != 0)
        return r;
    head->length = plan.length;
    head->is_ephemeral = plan.options.ephemeral;
    head->has_condition = plan.has_condition;
    if (plan.has_condition)
        head->condition = plan.condition;
    head->bytes = malloc(plan.length);
    if (!head->bytes)
        return out_of_memory();
    r = put_plan_write(&plan, head->bytes);
    if (r < 0)
        put_head_finish(head);
    return r;
}

void put_head_finish(struct put_head *head)
{
    free(head->bytes);
    *head = (struct put_head){0};
}
