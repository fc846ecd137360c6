#include "common/entry.h"
#include "direct.h"
#include "handle.h"
#include "message.h"
#include "object.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Few allocations, however many objects: this one, which ends with all pairs of metadata, and
 * the entries, which become the strings. */
struct memstore_list {
    uint8_t *strings;
    size_t count;
    struct memstore_object objects[];
};

/* Checks all entries and counts their metadata. */
static int entries_check(const uint8_t *entries, size_t length, uint64_t count, size_t *ret_pairs)
{
    struct encoded encoded;
    size_t pairs = 0;

    if (count > length / sizeof(struct object_info))
        return -EPROTO;
    for (uint64_t i = 0; i < count; i++) {
        if (encoded_read(entries, length, &encoded) < 0)
            return -EPROTO;
        entries += encoded.length;
        length -= encoded.length;
        pairs += encoded.pairs;
    }
    if (length > 0)
        return -EPROTO;
    *ret_pairs = pairs;
    return 0;
}

static void list_decode(struct memstore_list *list, uint8_t *entries, size_t length)
{
    struct memstore_metadata *pairs = (struct memstore_metadata *)&list->objects[list->count];
    struct encoded encoded;

    for (size_t i = 0; i < list->count && encoded_read(entries, length, &encoded) == 0; i++) {
        object_decode(&list->objects[i], &encoded, entries, pairs);
        entries += encoded.length;
        length -= encoded.length;
        pairs += encoded.pairs;
    }
}

/* Takes over the entries, which were copied from where the daemon can still write. */
static int list_create(uint8_t *entries, size_t length, uint64_t count,
                       struct memstore_list **ret_list)
{
    struct memstore_list *list;
    size_t pairs;
    int r = entries_check(entries, length, count, &pairs);

    if (r < 0)
        goto fail;
    list = malloc(sizeof(*list) + count * sizeof(list->objects[0]) +
                  pairs * sizeof(struct memstore_metadata));
    if (!list) {
        r = message_fail(-ENOMEM, "out of memory for a list of %zu objects", (size_t)count);
        goto fail;
    }
    list->strings = entries;
    list->count = count;
    list_decode(list, entries, length);
    *ret_list = list;
    return 0;

fail:
    free(entries);
    return r;
}

static int list_read(const struct answer *answer, struct memstore_list **ret_list)
{
    const struct frame *frame = &answer->frame;
    const uint8_t *entries = answer->bulk;
    size_t length = answer->bulk_length;
    struct list_answer head;
    uint8_t *copy;

    if (frame->body_length < sizeof(head))
        return -EPROTO;
    memcpy(&head, frame->body, sizeof(head));
    if (!answer->bulk) {
        entries = frame->body + sizeof(head);
        length = frame->body_length - sizeof(head);
    } else if (frame->body_length > sizeof(head)) {
        return -EPROTO;
    }
    copy = malloc(length > 0 ? length : 1);
    if (!copy)
        return message_fail(-ENOMEM, "out of memory for a list of %zu bytes", length);
    memcpy(copy, entries, length);
    return list_create(copy, length, head.count, ret_list);
}

/* The entries of a direct list, in the form of an answer's. */
struct gathered {
    uint8_t *entries;
    size_t length;
    size_t capacity;
    uint64_t count;
    uint64_t limit;
};

#define LIST_IS_FULL 1

static int gather(void *context, const void *key, size_t key_length, const struct record *record)
{
    struct gathered *gathered = context;
    size_t length = entry_length(record, key_length);

    if (gathered->count == gathered->limit)
        return LIST_IS_FULL;
    if (gathered->capacity - gathered->length < length) {
        size_t capacity = gathered->capacity * 2 + length;
        uint8_t *entries = realloc(gathered->entries, capacity);

        if (!entries)
            return -ENOMEM;
        gathered->entries = entries;
        gathered->capacity = capacity;
    }
    entry_write(gathered->entries + gathered->length, record, key, key_length);
    gathered->length += length;
    gathered->count++;
    return 0;
}

static int list_directly(struct memstore *store, const void *prefix, size_t prefix_length,
                         const struct memstore_list_options *options,
                         struct memstore_list **ret_list)
{
    struct gathered gathered = {.limit = options->has_limit ? options->limit : UINT64_MAX};
    struct direct_read *read;
    int r = direct_begin(store, &read);

    if (r < 0)
        return r;
    r = reading_scan(&read->reading, read->bucket, prefix, prefix_length, options->after,
                     options->after_length, gather, &gathered);
    direct_end(store, read);
    if (r >= 0)
        return list_create(gathered.entries, gathered.length, gathered.count, ret_list);
    free(gathered.entries);
    return r == -ENOMEM ? out_of_memory() : r;
}

static int list_fail(const struct answer *answer, const void *prefix, size_t prefix_length)
{
    char text[QUOTED_SIZE];

    quote(text, prefix, prefix_length);
    if (answer->status == -EFBIG)
        return message_fail(answer->status,
                            "the list of %s is over 4 GiB: set a limit, and continue after", text);
    return answer_fail(answer, "cannot list %s", text);
}

int memstore_list(struct memstore *store, const void *prefix, size_t prefix_length,
                  const struct memstore_list_options *options, struct memstore_list **ret_list)
{
    struct memstore_list_options ours;
    struct list_request list;
    struct request request = {.operation = OPERATION_LIST, .wants_room = true};
    struct answer answer;
    int r = options_read(&ours, sizeof(ours), options);

    if (r == 0)
        r = key_check(prefix, prefix_length);
    if (r == 0 && ours.after)
        r = key_check(ours.after, ours.after_length);
    if (r < 0)
        return r;
    r = list_directly(store, prefix, prefix_length, &ours, ret_list);
    if (direct_is_final(r))
        return r;
    list =
        (struct list_request){.prefix_length = (uint16_t)prefix_length,
                              .after_length = ours.after ? (uint16_t)ours.after_length : NO_AFTER,
                              .limit = ours.has_limit ? ours.limit : UINT64_MAX};
    request.parts[0] = (struct part){&list, sizeof(list)};
    request.parts[1] = (struct part){prefix, prefix_length};
    request.parts[2] = (struct part){ours.after, ours.after ? ours.after_length : 0};
    r = handle_call(store, &request, &answer);
    if (r < 0)
        return r;
    if (answer.status < 0)
        r = list_fail(&answer, prefix, prefix_length);
    else
        r = list_read(&answer, ret_list);
    return handle_done(store, &answer, r);
}

size_t memstore_list_count(const struct memstore_list *list)
{
    return list->count;
}

const struct memstore_object *memstore_list_at(const struct memstore_list *list, size_t index)
{
    return index < list->count ? &list->objects[index] : NULL;
}

void memstore_list_free(struct memstore_list *list)
{
    if (!list)
        return;
    free(list->strings);
    free(list);
}
