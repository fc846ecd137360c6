/*
 * Expiry: objects whose lifetime is over. Nobody sees them from then on, whoever looks checks the
 * time in their record (record_is_over); what is left is to give back their memory, which the index
 * of ends (ends.c) leads to, in the order of time.
 */
#include "store_private.h"

#include "boottime.h"

#include <errno.h>

/* Times in the index are in units of 256 microseconds, rounded up. */
#define UNIT_BITS 8

uint64_t end_of_time(int64_t expires)
{
    return ((uint64_t)expires >> UNIT_BITS) + 1;
}

/* The time from which on what ends then is due; what ends with a client never is. */
static int64_t due_of(uint64_t end)
{
    return end < ENDS_OF_OWNERS ? (int64_t)(end << UNIT_BITS) : INT64_MAX;
}

void expiry_note(struct store *store, uint64_t end)
{
    if (due_of(end) < store->next_expiry)
        store->next_expiry = due_of(end);
}

int64_t expiry_of(const struct store *store, int64_t ttl)
{
    if (ttl == TTL_DEFAULT)
        ttl = store->bucket->row.settings.ttl;
    return ttl > 0 ? boottime_now() + ttl * 1000 : 0;
}

/* Takes away the first, if it was due then. Returns 1, or 0 if none was. */
static int take_first(struct store *store, uint64_t then, uint64_t *bytes)
{
    struct end_key key;
    int r = end_first(store, 0, &key);

    if (r < 0)
        return r;
    store->next_expiry = r == 0 ? INT64_MAX : due_of(end_of(&key));
    if (store->next_expiry > (int64_t)then)
        return 0;
    r = end_take_away(store, &key, bytes);
    return r < 0 ? r : 1;
}

int store_expire(struct store *store)
{
    int64_t now = boottime_now();

    return store->next_expiry > now ? 0 : ends_take_share(store, take_first, (uint64_t)now);
}

int64_t store_next_expiry(const struct store *store)
{
    return store->next_expiry;
}
