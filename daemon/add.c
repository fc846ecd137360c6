/* Adding to the number that a value is. */
#include "store_private.h"

#include "etag.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* Bytes of the longest number, "-9223372036854775808". */
#define NUMBER_MAX 20

static int number_write(char text[NUMBER_MAX + 1], int64_t value)
{
    return snprintf(text, NUMBER_MAX + 1, "%lld", (long long)value);
}

/* Adds a digit's worth; towards the sign, so that the smallest number can be read too. */
static bool number_push(int64_t *value, char digit, bool is_negative)
{
    int64_t step = digit - '0';

    return digit >= '0' && digit <= '9' && !__builtin_mul_overflow(*value, 10, value) &&
           !__builtin_add_overflow(*value, is_negative ? -step : step, value);
}

/* Reads a number, which has no other form than the one that is written. -EINVAL. */
static int number_read(const struct record *record, int64_t *ret_value)
{
    const char *digits = (const char *)record->value;
    char again[NUMBER_MAX + 1];
    int64_t value = 0;

    if (record->blob || record->size == 0 || record->size > NUMBER_MAX)
        return -EINVAL;
    for (size_t i = digits[0] == '-'; i < record->size; i++)
        if (!number_push(&value, digits[i], digits[0] == '-'))
            return -EINVAL;
    if ((uint64_t)number_write(again, value) != record->size ||
        memcmp(again, digits, record->size) != 0)
        return -EINVAL;
    *ret_value = value;
    return 0;
}

/* Finds the number and makes the sum, which then stands in the text. */
static int add(const struct slot *slot, int64_t delta, char text[NUMBER_MAX + 1],
               int64_t *ret_value)
{
    int64_t value = 0;
    int r = slot->object ? number_read(slot->object, &value) : 0;

    if (r < 0)
        return r;
    if (__builtin_add_overflow(value, delta, &value))
        return -EOVERFLOW;
    number_write(text, value);
    *ret_value = value;
    return 0;
}

int store_add(struct store *store, const struct store_key *key, int64_t delta,
              struct store_condition *condition, int64_t *ret_value, struct record *ret_record)
{
    struct record record = {.type_length = NO_CONTENT_TYPE};
    char text[NUMBER_MAX + 1];
    int64_t value = 0;
    uint8_t *place = store->scratch;
    struct slot slot;
    bool is_new;
    int r = slot_find(store, key, condition, &slot);

    is_new = r == 0 && !slot.object; /* it may end while room is made */
    if (r == 0)
        r = add(&slot, delta, text, &value);
    if (r == 0)
        r = slot_admit(store, &slot, strlen(text));
    if (r < 0)
        return r;
    if (is_new) {
        record.expires = expiry_of(store, TTL_DEFAULT);
    } else {
        record = slot.old;
        place = record_keep(store, &record);
    }
    record.size = strlen(text);
    record.value = place;
    r = etag_copy(place, text, record.size, record.etag);
    if (r == 0)
        r = store_begin(store, &(struct claim){.rows = 1,
                                               .ends = ends_rows(&slot.old, &record),
                                               .pages = record_pages(store, &record),
                                               .blobs = slot.old.blob});
    if (r == 0)
        r = slot_fill(store, &slot, &record);
    if (r < 0)
        return r;
    *ret_value = value;
    *ret_record = record;
    return 0;
}
