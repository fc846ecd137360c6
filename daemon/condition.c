#include "condition.h"

#include <errno.h>
#include <string.h>

int condition_check(const struct condition *condition, uint32_t kinds)
{
    uint32_t wanted = condition->kinds;
    bool has_number = wanted & (CONDITION_VERSION | CONDITION_ETAG);

    if (wanted == 0 || (wanted & ~kinds))
        return -EINVAL;
    if ((wanted & CONDITION_ABSENT) && (has_number || (wanted & CONDITION_PRESENT)))
        return -EINVAL;
    /* No object has it: who sends it has not set it. */
    return (wanted & CONDITION_VERSION) && condition->version == 0 ? -EINVAL : 0;
}

static int decide(const struct condition *wanted, const struct record *record)
{
    const uint32_t of_something = CONDITION_PRESENT | CONDITION_VERSION | CONDITION_ETAG;

    if (!record)
        return wanted->kinds & of_something ? -ENOENT : 0;
    if (wanted->kinds & CONDITION_ABSENT)
        return -EEXIST;
    if ((wanted->kinds & CONDITION_VERSION) && record->version != wanted->version)
        return -ESTALE;
    if ((wanted->kinds & CONDITION_ETAG) && memcmp(record->etag, wanted->etag, ETAG_BYTES) != 0)
        return -ESTALE;
    if ((wanted->kinds & CONDITION_NOT_VERSION) && record->version == wanted->version)
        return -EALREADY;
    return 0;
}

int condition_decide(struct store_condition *condition, const struct record *record)
{
    int r = decide(&condition->wanted, record);

    condition->failed = r < 0;
    condition->version = record ? record->version : 0;
    return r;
}
