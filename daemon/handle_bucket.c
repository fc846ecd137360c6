#include "request_private.h"

#include "bucket.h"
#include "server.h"

#include <errno.h>
#include <stdio.h>

/* A frame of buckets takes as long as to move so many bytes. */
#define LIST_COST (256U << 10)

#define SET_ALL (BUCKET_SET_MAX_SIZE | BUCKET_SET_MAX_OBJECTS | BUCKET_SET_TTL | BUCKET_SET_POLICY)

int check_bucket_name(struct request *request, const struct store_bucket_name *name)
{
    switch (bucket_name_check(name->text, name->length)) {
    case 0:
        return 1;
    case -ENAMETOOLONG:
        return ANSWER_ERROR(request, -ENAMETOOLONG,
                            "a bucket's name of %zu bytes is longer than %d", name->length,
                            BUCKET_NAME_MAX);
    default:
        return ANSWER_ERROR(request, -EINVAL,
                            "a bucket's name is made of letters, digits, '.', '_' and '-'");
    }
}

int answer_bucket_failure(struct request *request, int error, const struct store_bucket_name *name)
{
    const int length = (int)name->length;

    switch (error) {
    case -ENOENT:
        return ANSWER_ERROR(request, error, "there is no bucket '%.*s'", length, name->text);
    case -EEXIST:
        return ANSWER_ERROR(request, error, "there is a bucket '%.*s'", length, name->text);
    case -EPERM:
        return ANSWER_ERROR(request, error, "the bucket '%.*s' cannot be dropped", length,
                            name->text);
    case -EUSERS:
        request->client->server->refused++;
        return ANSWER_ERROR(request, -EDQUOT, "there are as many buckets as there can be: %u",
                            BUCKETS_MAX);
    default:
        return answer_failure(request, error, 0);
    }
}

/* ---- bodies ---- */

int take_bucket_name(struct request *request, size_t length, struct store_bucket_name *ret_name)
{
    const void *text;

    if (!take_bytes(&request->body, length, &text) || request->body.left > 0)
        return answer_malformed(request);
    *ret_name = (struct store_bucket_name){.text = text, .length = length};
    return check_bucket_name(request, ret_name);
}

/* The whole body of BUCKET_DROP, BUCKET_KEEP and BUCKET_INFO. */
static int take_name_request(struct request *request, struct store_bucket_name *ret_name)
{
    struct bucket_name_request fixed;

    if (!take(&request->body, &fixed, sizeof(fixed)) || fixed.reserved != 0)
        return answer_malformed(request);
    return take_bucket_name(request, fixed.name_length, ret_name);
}

/* The whole body of BUCKET_CREATE and BUCKET_SET. */
static int take_bucket_request(struct request *request, struct bucket_request *ret_fixed,
                               struct store_bucket_name *ret_name)
{
    const struct bucket_settings *settings = &ret_fixed->settings;
    int r;

    if (!take(&request->body, ret_fixed, sizeof(*ret_fixed)) || ret_fixed->reserved != 0 ||
        settings->reserved != 0)
        return answer_malformed(request);
    r = take_bucket_name(request, ret_fixed->name_length, ret_name);
    if (r != 1)
        return r;
    if (settings->ttl < 0 || settings->ttl > TTL_MAX)
        return answer_no_lifetime(request, settings->ttl);
    if (settings->policy != POLICY_REFUSE && settings->policy != POLICY_LRU)
        return ANSWER_ERROR(request, -EINVAL, "there is no policy %u", settings->policy);
    return 1;
}

/* ---- answers ---- */

static struct bucket_info info_of(const struct server *server, const struct store_bucket *bucket)
{
    const struct bucket_statistics counts = statistics_of(server, bucket->id);

    return (struct bucket_info){.settings = bucket->settings,
                                .used = bucket->used,
                                .objects = bucket->objects,
                                .puts = counts.puts,
                                .hits = counts.hits,
                                .misses = counts.misses,
                                .evicted = counts.evicted,
                                .expired = counts.expired,
                                .refused = counts.refused,
                                .bucket = bucket->id,
                                .flags = bucket->is_ephemeral ? BUCKET_EPHEMERAL : 0};
}

static int answer_bucket(struct request *request, const struct store_bucket_name *name)
{
    struct store_bucket bucket;
    struct bucket_info info;
    uint8_t *body;
    int r = store_bucket_info(request->store, name, &bucket);

    if (r < 0)
        return answer_bucket_failure(request, r, name);
    info = info_of(request->client->server, &bucket);
    body = client_answer(request->client, request->header, NULL, sizeof(info));
    if (body)
        append(body, &info, sizeof(info));
    return 0;
}

/* ---- the operations ---- */

int handle_bucket_create(struct request *request)
{
    struct store_bucket_name name = {0};
    struct bucket_request fixed;
    uint32_t owner = 0;
    int r = take_bucket_request(request, &fixed, &name);

    if (r != 1)
        return r;
    if (fixed.which != 0 || (fixed.flags & ~(BUCKET_EXIST_OK | BUCKET_EPHEMERAL)))
        return answer_malformed(request);
    r = fixed.flags & BUCKET_EPHEMERAL ? take_owner(request, EPHEMERAL_BUCKET, &owner) : 1;
    if (r != 1)
        return r;
    r = store_bucket_create(request->store, &name, &fixed.settings, owner);
    if (r < 0 && !(r == -EEXIST && (fixed.flags & BUCKET_EXIST_OK)))
        return answer_bucket_failure(request, r, &name);
    /* Of a new one nobody has counted anything, and to look at all readers takes time. */
    if (r == -EEXIST)
        statistics_take_all(request->client->server);
    return answer_bucket(request, &name);
}

int handle_bucket_set(struct request *request)
{
    struct store_bucket_name name = {0};
    struct bucket_request fixed;
    int r = take_bucket_request(request, &fixed, &name);

    if (r != 1)
        return r;
    if (fixed.flags != 0 || fixed.which == 0 || (fixed.which & ~SET_ALL))
        return answer_malformed(request);
    r = store_bucket_set(request->store, &name, fixed.which, &fixed.settings);
    return r < 0 ? answer_bucket_failure(request, r, &name) : answer_nothing(request);
}

int handle_bucket_drop(struct request *request)
{
    struct store_bucket_name name = {0};
    int r = take_name_request(request, &name);

    if (r != 1)
        return r;
    r = store_bucket_drop(request->store, &name);
    return r < 0 ? answer_bucket_failure(request, r, &name) : answer_nothing(request);
}

int handle_bucket_keep(struct request *request)
{
    const struct owner *owner = request->client->owner;
    struct store_bucket_name name = {0};
    int r = take_name_request(request, &name);

    if (r != 1)
        return r;
    r = store_bucket_keep(request->store, &name, owner ? owner->number : 0);
    if (r == -EPERM)
        return ANSWER_ERROR(request, r, "the bucket '%.*s' does not end with this client",
                            (int)name.length, name.text);
    return r < 0 ? answer_bucket_failure(request, r, &name) : answer_nothing(request);
}

int handle_bucket_info(struct request *request)
{
    struct store_bucket_name name = {0};
    int r = take_name_request(request, &name);

    if (r != 1)
        return r;
    statistics_take_all(request->client->server);
    return answer_bucket(request, &name);
}

/* Fills a frame's body with buckets. Returns the bytes, or a negative errno. */
static int gather(struct server *server, struct store_bucket_name after, uint8_t body[BODY_MAX])
{
    const size_t most = sizeof(struct bucket_info) + BUCKET_NAME_MAX;
    struct list_answer answer = {0};
    struct store_bucket bucket;
    uint8_t *place = body + sizeof(answer);
    int r = 0;

    while ((size_t)(body + BODY_MAX - place) >= most &&
           (r = store_bucket_next(server->store, &after, &bucket)) == 0) {
        struct bucket_info info = info_of(server, &bucket);

        info.name_length = (uint16_t)bucket.name_length;
        place = append(place, &info, sizeof(info));
        after = (struct store_bucket_name){(const char *)place, bucket.name_length};
        place = append(place, bucket.name, bucket.name_length);
        answer.count++;
    }
    append(body, &answer, sizeof(answer));
    return r < 0 && r != -ENOENT ? r : (int)(place - body);
}

int handle_bucket_list(struct request *request)
{
    static uint8_t buckets[BODY_MAX];
    struct bucket_name_request fixed;
    const void *after;
    uint8_t *body;
    int length;

    if (!take(&request->body, &fixed, sizeof(fixed)) || fixed.reserved != 0 ||
        !take_bytes(&request->body, fixed.name_length, &after) || request->body.left > 0)
        return answer_malformed(request);
    if (fixed.name_length > BUCKET_NAME_MAX)
        return check_bucket_name(request, &(struct store_bucket_name){after, fixed.name_length});
    request->client->moved += LIST_COST;
    if (fixed.name_length == 0) /* once for all pages */
        statistics_take_all(request->client->server);
    length = gather(request->client->server, (struct store_bucket_name){after, fixed.name_length},
                    buckets);
    if (length < 0)
        return answer_failure(request, length, 0);
    body = client_answer(request->client, request->header, NULL, (size_t)length);
    if (body)
        append(body, buckets, (size_t)length);
    return 0;
}
