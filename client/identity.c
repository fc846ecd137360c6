#include "identity.h"

#include "message.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

void identity_init(struct identity *identity, const char *name)
{
    *identity = (struct identity){0};
    snprintf(identity->name, sizeof(identity->name), "%s", name);
    pthread_mutex_init(&identity->mutex, NULL);
}

void identity_copy(struct identity *copy, struct identity *identity)
{
    pthread_mutex_lock(&identity->mutex);
    *copy = *identity;
    pthread_mutex_unlock(&identity->mutex);
    pthread_mutex_init(&copy->mutex, NULL);
}

void identity_adopt(struct identity *identity)
{
    pthread_mutex_init(&identity->mutex, NULL);
}

int identity_settle(struct identity *identity, uint32_t bucket,
                    const uint8_t store_id[STORE_ID_BYTES])
{
    bool is_other;

    pthread_mutex_lock(&identity->mutex);
    is_other = identity->is_known && identity->bucket != bucket &&
               memcmp(identity->store_id, store_id, STORE_ID_BYTES) == 0;
    if (!is_other) {
        identity->is_known = true;
        identity->bucket = bucket;
        memcpy(identity->store_id, store_id, STORE_ID_BYTES);
    }
    pthread_mutex_unlock(&identity->mutex);
    return is_other ? identity_dropped(identity->name) : 0;
}

int identity_missing(struct identity *identity, const char *socket)
{
    bool was_known;

    pthread_mutex_lock(&identity->mutex);
    was_known = identity->is_known;
    pthread_mutex_unlock(&identity->mutex);
    if (was_known)
        return identity_dropped(identity->name);
    return message_fail(-ENOENT, "memstored at %s has no bucket '%s'", socket, identity->name);
}

int identity_dropped(const char *name)
{
    return message_fail(-ENXIO, "the bucket '%s' was dropped; open it anew", name);
}
