#include "common/bucket.h"

#include "handle.h"
#include "message.h"
#include "put_head.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

static_assert(MEMSTORE_BUCKET_NAME_MAX == BUCKET_NAME_MAX, "memstore.h and protocol.h agree");
static_assert((int)MEMSTORE_POLICY_REFUSE == POLICY_REFUSE &&
                  (int)MEMSTORE_POLICY_LRU == POLICY_LRU,
              "memstore.h and protocol.h agree");

static int bucket_fail(const struct answer *answer, const char *verb, const char *name)
{
    return answer_fail(answer, "cannot %s the bucket '%s'", verb, name);
}

/* ---- requests ---- */

/* Reads the caller's options into a request. */
static int options_take(const struct memstore_bucket_options *options,
                        struct memstore_bucket_options *ours, struct bucket_request *ret_request)
{
    struct bucket_settings *settings = &ret_request->settings;
    int r = options_read(ours, sizeof(*ours), options);

    if (r < 0)
        return r;
    if (ours->has_ttl && (ours->ttl_ms < 0 || ours->ttl_ms > TTL_MAX))
        return message_fail(-EINVAL, "a lifetime of %lld ms is not one of 1 to %lld (0: none)",
                            (long long)ours->ttl_ms, TTL_MAX);
    if (ours->has_policy && ours->policy != MEMSTORE_POLICY_REFUSE &&
        ours->policy != MEMSTORE_POLICY_LRU)
        return message_fail(-EINVAL, "there is no policy %d", (int)ours->policy);
    *settings = (struct bucket_settings){
        .max_size = ours->has_max_size ? ours->max_size : NO_LIMIT,
        .max_objects = ours->has_max_objects ? ours->max_objects : NO_LIMIT,
        .ttl = ours->has_ttl ? ours->ttl_ms : 0,
        .policy = ours->has_policy ? (uint32_t)ours->policy : POLICY_REFUSE};
    return 0;
}

/* Asks with a request and a name. As handle_call. */
static int call(struct memstore *store, enum operation operation, const void *fixed, size_t size,
                const char *name, struct answer *ret_answer)
{
    struct request request = {
        .operation = operation, .parts = {{fixed, size}, {name, strlen(name)}}, .by_name = true};

    return handle_call(store, &request, ret_answer);
}

/* As call, for what has to do with the handle's own end. */
static int call_owned(struct memstore *store, enum operation operation, const void *fixed,
                      size_t size, const char *name, struct answer *ret_answer)
{
    struct request request = {.operation = operation,
                              .parts = {{fixed, size}, {name, strlen(name)}},
                              .by_name = true,
                              .is_owned = true};

    return handle_call(store, &request, ret_answer);
}

static int call_by_name(struct memstore *store, enum operation operation, const char *name,
                        struct answer *ret_answer)
{
    const struct bucket_name_request fixed = {.name_length = (uint16_t)strlen(name)};

    return call(store, operation, &fixed, sizeof(fixed), name, ret_answer);
}

/* ---- changes ---- */

int memstore_bucket_create(struct memstore *store, const char *name,
                           const struct memstore_bucket_options *options)
{
    struct memstore_bucket_options ours = {0};
    struct bucket_request fixed = {0};
    struct answer answer = {0};
    int r = bucket_check(name);

    if (r == 0)
        r = options_take(options, &ours, &fixed);
    if (r < 0)
        return r;
    fixed.name_length = (uint16_t)strlen(name);
    fixed.flags =
        (uint16_t)((ours.exist_ok ? BUCKET_EXIST_OK : 0) | (ours.ephemeral ? BUCKET_EPHEMERAL : 0));
    r = (ours.ephemeral ? call_owned : call)(store, OPERATION_BUCKET_CREATE, &fixed, sizeof(fixed),
                                             name, &answer);
    if (r < 0)
        return r;
    if (answer.status < 0)
        r = bucket_fail(&answer, "make", name);
    else
        r = answer.frame.body_length == sizeof(struct bucket_info) ? 0 : -EPROTO;
    return handle_done(store, &answer, r);
}

/* For changes whose answer is empty. */
static int finish(struct memstore *store, const struct answer *answer, const char *verb,
                  const char *name)
{
    int r = answer->frame.body_length == 0 ? 0 : -EPROTO;

    if (answer->status < 0)
        r = bucket_fail(answer, verb, name);
    return handle_done(store, answer, r);
}

int memstore_bucket_drop(struct memstore *store, const char *name)
{
    struct answer answer = {0};
    int r = bucket_check(name);

    if (r == 0)
        r = call_by_name(store, OPERATION_BUCKET_DROP, name, &answer);
    return r < 0 ? r : finish(store, &answer, "drop", name);
}

int memstore_bucket_keep(struct memstore *store, const char *name)
{
    struct bucket_name_request fixed = {0};
    struct answer answer = {0};
    int r = bucket_check(name);

    if (r < 0)
        return r;
    fixed.name_length = (uint16_t)strlen(name);
    r = call_owned(store, OPERATION_BUCKET_KEEP, &fixed, sizeof(fixed), name, &answer);
    return r < 0 ? r : finish(store, &answer, "keep", name);
}

int memstore_bucket_set(struct memstore *store, const char *name,
                        const struct memstore_bucket_options *options)
{
    struct memstore_bucket_options ours = {0};
    struct bucket_request fixed = {0};
    struct answer answer = {0};
    int r = bucket_check(name);

    if (r == 0)
        r = options_take(options, &ours, &fixed);
    if (r < 0)
        return r;
    if (ours.exist_ok || ours.ephemeral)
        return message_fail(-EINVAL, "exist_ok and ephemeral are for a bucket that is made");
    fixed.which =
        (uint16_t)((ours.has_max_size ? BUCKET_SET_MAX_SIZE : 0) |
                   (ours.has_max_objects ? BUCKET_SET_MAX_OBJECTS : 0) |
                   (ours.has_ttl ? BUCKET_SET_TTL : 0) | (ours.has_policy ? BUCKET_SET_POLICY : 0));
    if (fixed.which == 0)
        return message_fail(-EINVAL, "nothing to set for the bucket '%s'", name);
    fixed.name_length = (uint16_t)strlen(name);
    r = call(store, OPERATION_BUCKET_SET, &fixed, sizeof(fixed), name, &answer);
    return r < 0 ? r : finish(store, &answer, "set", name);
}

/* ---- what there is to know ---- */

/* Ours from the daemon's, cut to the caller's size. */
static void info_write(void *place, size_t size, const struct bucket_info *info, const char *name,
                       size_t name_length)
{
    struct memstore_bucket_info ours = {.max_size = info->settings.max_size,
                                        .max_objects = info->settings.max_objects,
                                        .ttl_ms = info->settings.ttl,
                                        .policy = (enum memstore_policy)info->settings.policy,
                                        .ephemeral = (info->flags & BUCKET_EPHEMERAL) != 0,
                                        .used = info->used,
                                        .objects = info->objects,
                                        .puts = info->puts,
                                        .hits = info->hits,
                                        .misses = info->misses,
                                        .evicted = info->evicted,
                                        .expired = info->expired,
                                        .refused = info->refused};

    memcpy(ours.name, name, name_length);
    memset(place, 0, size);
    memcpy(place, &ours, size < sizeof(ours) ? size : sizeof(ours));
}

static int size_check(size_t info_size)
{
    if (info_size == 0)
        return message_fail(-EINVAL,
                            "no size of the info: pass sizeof(struct memstore_bucket_info)");
    return 0;
}

int memstore_bucket_info(struct memstore *store, const char *name,
                         struct memstore_bucket_info *ret_info, size_t info_size)
{
    struct bucket_info info;
    struct answer answer = {0};
    int r = bucket_check(name);

    if (r == 0)
        r = size_check(info_size);
    if (r == 0)
        r = call_by_name(store, OPERATION_BUCKET_INFO, name, &answer);
    if (r < 0)
        return r;
    if (answer.status < 0) {
        r = bucket_fail(&answer, "look up", name);
    } else if (answer.frame.body_length != sizeof(info)) {
        r = -EPROTO;
    } else {
        memcpy(&info, answer.frame.body, sizeof(info));
        info_write(ret_info, info_size, &info, name, strlen(name));
    }
    return handle_done(store, &answer, r);
}

/* A list on its way. */
struct buckets {
    uint8_t *infos;
    size_t info_size;
    size_t count;
    size_t capacity;
    char last[BUCKET_NAME_MAX + 1]; /* name */
};

static int buckets_add(struct buckets *buckets, const struct bucket_info *info, const char *name)
{
    if (buckets->count == buckets->capacity) {
        size_t capacity = 2 * buckets->capacity + 16;
        uint8_t *infos = reallocarray(buckets->infos, capacity, buckets->info_size);

        if (!infos)
            return out_of_memory();
        buckets->infos = infos;
        buckets->capacity = capacity;
    }
    info_write(buckets->infos + buckets->count * buckets->info_size, buckets->info_size, info, name,
               info->name_length);
    memcpy(buckets->last, name, info->name_length);
    buckets->last[info->name_length] = '\0';
    buckets->count++;
    return 0;
}

/* Whether a name is one that can come next. Otherwise a list might never end. */
static bool is_next(const struct buckets *buckets, const char *name, size_t length)
{
    const size_t last = strlen(buckets->last);
    int order = memcmp(name, buckets->last, length < last ? length : last);

    return order > 0 || (order == 0 && length > last);
}

/* Takes one off the front of an answer. */
static int buckets_take(struct buckets *buckets, const uint8_t **place, size_t *left)
{
    struct bucket_info info;
    const char *name;

    if (*left < sizeof(info))
        return -EPROTO;
    memcpy(&info, *place, sizeof(info));
    name = (const char *)*place + sizeof(info);
    if (info.name_length > *left - sizeof(info) || bucket_name_check(name, info.name_length) < 0 ||
        !is_next(buckets, name, info.name_length))
        return -EPROTO;
    *place += sizeof(info) + info.name_length;
    *left -= sizeof(info) + info.name_length;
    return buckets_add(buckets, &info, name);
}

/* Takes a page of them. Returns how many there were. */
static int page_read(struct buckets *buckets, const struct answer *answer)
{
    const uint8_t *place = answer->frame.body;
    size_t left = answer->frame.body_length;
    struct list_answer head;
    int r = 0;

    if (left < sizeof(head))
        return -EPROTO;
    memcpy(&head, place, sizeof(head));
    place += sizeof(head);
    left -= sizeof(head);
    if (head.count > left / sizeof(struct bucket_info))
        return -EPROTO;
    for (uint64_t i = 0; r == 0 && i < head.count; i++)
        r = buckets_take(buckets, &place, &left);
    if (r < 0)
        return r;
    return left == 0 ? (int)head.count : -EPROTO;
}

/* Asks for the next page. Returns as page_read. */
static int page_get(struct memstore *store, struct buckets *buckets)
{
    struct answer answer = {0};
    int r = call_by_name(store, OPERATION_BUCKET_LIST, buckets->last, &answer);

    if (r < 0)
        return r;
    r = answer.status < 0 ? answer_fail(&answer, "cannot list the buckets")
                          : page_read(buckets, &answer);
    return handle_done(store, &answer, r);
}

int memstore_bucket_list(struct memstore *store, struct memstore_bucket_info **ret_buckets,
                         size_t *ret_count, size_t info_size)
{
    struct buckets buckets = {.info_size = info_size};
    int r = size_check(info_size);

    if (r < 0)
        return r;
    do
        r = page_get(store, &buckets);
    while (r > 0);
    if (r < 0) {
        free(buckets.infos);
        return r;
    }
    *ret_buckets = (struct memstore_bucket_info *)(void *)buckets.infos;
    *ret_count = buckets.count;
    return 0;
}
