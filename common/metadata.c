#include "metadata.h"

#include "protocol.h"

#include <errno.h>
#include <string.h>

int metadata_next(const uint8_t **block, size_t *length, struct metadata_pair *ret_pair)
{
    struct metadata_entry entry;
    size_t rest = *length;
    const char *text;

    if (rest == 0)
        return 0;
    if (rest < sizeof(entry))
        return -EINVAL;
    memcpy(&entry, *block, sizeof(entry));
    rest -= sizeof(entry);
    if (rest < entry.name_length || rest - entry.name_length < entry.value_length)
        return -EINVAL;
    text = (const char *)*block + sizeof(entry);
    *ret_pair = (struct metadata_pair){.name = text,
                                       .name_length = entry.name_length,
                                       .value = text + entry.name_length,
                                       .value_length = entry.value_length};
    *block = (const uint8_t *)text + entry.name_length + entry.value_length;
    *length = rest - entry.name_length - entry.value_length;
    return 1;
}

int metadata_compare(const char *a, size_t a_length, const char *b, size_t b_length)
{
    size_t shorter = a_length < b_length ? a_length : b_length;
    int order = shorter > 0 ? memcmp(a, b, shorter) : 0;

    return order != 0 ? order : (a_length > b_length) - (a_length < b_length);
}

int metadata_check(const uint8_t *block, size_t length)
{
    struct metadata_pair previous = {0};
    struct metadata_pair pair;
    int count = 0;
    int r;

    while ((r = metadata_next(&block, &length, &pair)) > 0) {
        if (count > 0 &&
            metadata_compare(previous.name, previous.name_length, pair.name, pair.name_length) >= 0)
            return -EINVAL;
        if (memchr(pair.name, '\0', pair.name_length + pair.value_length))
            return -EINVAL;
        previous = pair;
        count++;
    }
    return r < 0 ? r : count;
}
