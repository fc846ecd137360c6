#include "condition.h"

#include "handle.h"
#include "message.h"

#include <errno.h>

static _Thread_local uint64_t conflict_version;

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static int etag_read(const char *text, uint8_t etag[16])
{
    for (size_t i = 0; i < 32; i++) {
        int digit = hex_digit(text[i]); /* -1 for the NUL of a text that is too short */

        if (digit < 0)
            return -EINVAL;
        etag[i / 2] = (uint8_t)(etag[i / 2] << 4 | digit);
    }
    return text[32] == '\0' ? 0 : -EINVAL;
}

int condition_read(const struct memstore_condition *condition, struct condition *ret_condition)
{
    struct memstore_condition ours;
    int r = options_read(&ours, sizeof(ours), condition);

    if (r < 0 || !condition)
        return r;
    *ret_condition = (struct condition){.kinds = (ours.if_absent ? CONDITION_ABSENT : 0) |
                                                 (ours.if_present ? CONDITION_PRESENT : 0) |
                                                 (ours.has_version ? CONDITION_VERSION : 0) |
                                                 (ours.etag ? CONDITION_ETAG : 0),
                                        .version = ours.has_version ? ours.version : 0};
    if (ret_condition->kinds == 0)
        return message_fail(-EINVAL, "a condition that asks for nothing");
    if (ours.if_absent && ret_condition->kinds != CONDITION_ABSENT)
        return message_fail(-EINVAL, "a condition for both, an object and none");
    if (ours.has_version && ours.version == 0)
        return message_fail(-EINVAL, "no object has version 0: use if_absent");
    if (ours.etag && etag_read(ours.etag, ret_condition->etag) < 0)
        return message_fail(-EINVAL, "an etag that is not 32 hex digits");
    return 1;
}

void conflict_note(uint64_t version)
{
    conflict_version = version;
}

uint64_t memstore_conflict_version(void)
{
    return conflict_version;
}
