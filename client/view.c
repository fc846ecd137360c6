/* Views: values read in place, or copied where they can't be. */
#include "direct.h"
#include "get.h"
#include "key.h"
#include "message.h"
#include "object.h"

#include <errno.h>
#include <stdlib.h>

struct memstore_view {
    struct memstore_object *object; /* without the value, if that is in place */
    const void *value;
    size_t size;
    struct pin pin; /* of a value in place */
};

/* Takes the object; its value becomes the view's. */
static int view_create(struct memstore_object *object, struct memstore_view **ret_view)
{
    struct memstore_view *view = calloc(1, sizeof(*view));

    if (!view) {
        memstore_object_free(object);
        return out_of_memory();
    }
    view->object = object;
    view->value = memstore_object_value(object, &view->size);
    object->value = NULL;
    object->value_size = 0;
    *ret_view = view;
    return 0;
}

/* Pins the blob and points the view at it. -ENOSPC: no pin is left. */
static int view_in_place(struct direct_read *read, const struct record *record, const void *key,
                         size_t key_length, struct memstore_view **ret_view)
{
    struct memstore_object *object;
    const uint8_t *value;
    struct pin pin;
    int r = reading_value(&read->reading, record, &value);

    if (r == 0)
        r = object_from_record(record, key, key_length, NULL, &object);
    if (r != 0)
        return r;
    r = direct_pin(read, record->blob, &pin);
    if (r < 0) {
        memstore_object_free(object);
        return r;
    }
    r = view_create(object, ret_view);
    if (r < 0) {
        direct_unpin(&pin);
        return r;
    }
    (*ret_view)->value = value;
    (*ret_view)->size = record->size;
    (*ret_view)->pin = pin;
    return 0;
}

/* Copies a small value. */
static int view_copied(const struct record *record, const void *key, size_t key_length,
                       struct memstore_view **ret_view)
{
    const struct part value = {record->value, record->size};
    struct memstore_object *object;
    int r = object_from_record(record, key, key_length, &value, &object);

    return r < 0 ? r : view_create(object, ret_view);
}

/* known: as in struct get. */
static int view_direct(struct memstore *store, const void *key, size_t key_length, uint64_t known,
                       struct memstore_view **ret_view)
{
    struct direct_read *read;
    struct record record;
    int r = direct_begin(store, &read);

    if (r < 0)
        return r;
    r = direct_find(read, key, key_length, &record);
    if (r == 0)
        direct_use(read, key, key_length, record.blob != 0);
    if (r == 0 && known != 0 && record.version == known)
        r = key_unchanged(key, key_length, known);
    else if (r == 0 && record.blob)
        r = view_in_place(read, &record, key, key_length, ret_view);
    else if (r == 0)
        r = view_copied(&record, key, key_length, ret_view);
    direct_end(store, read);
    return r == -ENOENT ? key_missing(key, key_length) : r;
}

int memstore_view_newer(struct memstore *store, const void *key, size_t key_length,
                        uint64_t version, struct memstore_view **ret_view)
{
    const struct get get = {
        .fixed = {.key_length = (uint16_t)key_length, .length = MEMSTORE_TO_END},
        .key = key,
        .known = version};
    struct memstore_object *object;
    int r = key_check(key, key_length);

    if (r < 0)
        return r;
    r = view_direct(store, key, key_length, version, ret_view);
    if (direct_is_final(r))
        return r;
    if (r == -EAGAIN)
        r = get_by_asking(store, &get, &object);
    else /* there is no pin left; a copy can be had directly */
        r = memstore_get_newer(store, key, key_length, version, &object);
    return r < 0 ? r : view_create(object, ret_view);
}

int memstore_view(struct memstore *store, const void *key, size_t key_length,
                  struct memstore_view **ret_view)
{
    return memstore_view_newer(store, key, key_length, 0, ret_view);
}

const void *memstore_view_value(const struct memstore_view *view, size_t *ret_size)
{
    if (ret_size)
        *ret_size = view->size;
    return view->value;
}

const struct memstore_object *memstore_view_object(const struct memstore_view *view)
{
    return view->object;
}

int memstore_view_is_direct(const struct memstore_view *view)
{
    return view->pin.session != NULL;
}

void memstore_view_release(struct memstore_view *view)
{
    if (!view)
        return;
    direct_unpin(&view->pin);
    memstore_object_free(view->object);
    free(view);
}
