#include "request_private.h"

#include "direct.h"
#include "entry.h"
#include "lifetimes.h"
#include "server.h"
#include "shortage.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* Processes that an error names as holders of memory. */
#define HOLDERS_NAMED 8

void request_answer_no_bucket(struct client *client, const struct frame_header *request,
                              uint32_t bucket)
{
    client_answer_error(client, request, -ENXIO, "there is no bucket %u", (unsigned)bucket);
}

int answer_nothing(struct request *request)
{
    client_answer(request->client, request->header, NULL, 0);
    return 0;
}

void request_answer_info(struct client *client, const struct frame_header *request,
                         const struct record *record)
{
    uint8_t *body = client_answer(client, request, NULL, entry_length(record, 0));

    if (body)
        entry_write(body, record, NULL, 0);
}

int answer_info(struct request *request, const struct record *record)
{
    request_answer_info(request->client, request->header, record);
    return 0;
}

int answer_malformed(struct request *request)
{
    return ANSWER_ERROR(request, -EPROTO,
                        "the request's body does not have the form of operation %u",
                        (unsigned)request->header->operation);
}

int answer_unreadable(struct request *request)
{
    return ANSWER_ERROR(request, -EFAULT, "there is no memory for the pages of the bulk buffer");
}

/* Lists the processes whose views keep memory: " (1234 bytes are kept by views of 12 prog, 13
 * prog)". */
static void describe_holders(struct server *server, char *text, size_t size)
{
    struct holder holders[HOLDERS_NAMED];
    struct direct_totals totals;
    size_t count, length;

    text[0] = '\0';
    direct_totals(server, &totals);
    if (totals.pinned == 0)
        return;
    count = direct_holders(server, holders, HOLDERS_NAMED);
    length = (size_t)snprintf(text, size, " (%llu bytes are kept by views of",
                              (unsigned long long)totals.pinned);
    for (size_t i = 0; i < count && holders[i].pinned > 0; i++)
        length += (size_t)snprintf(text + length, size - length, "%s process %u %s",
                                   i > 0 ? "," : "", holders[i].pid, holders[i].name);
    snprintf(text + length, size - length, ")");
}

static bool ease_shortage(struct request *request, uint32_t bucket)
{
    const struct frame_header *header = request->header;

    if (request->in_batch)
        return shortage_note(request->client, bucket);
    return shortage_ease(request->client, bucket, (uint64_t)header->length + header->bulk_length);
}

static int answer_no_memory(struct request *request, uint32_t bucket)
{
    struct server *server = request->client->server;
    char holders[HOLDERS_NAMED * 64 + 64];

    if (lifetimes_make_room(request->client))
        return -EINPROGRESS;
    /* What was replaced or deleted may be free by now. */
    if (!server->collected)
        return -ENOBUFS;
    if (ease_shortage(request, bucket))
        return -EINPROGRESS;
    server->refused++;
    describe_holders(server, holders, sizeof(holders));
    return ANSWER_ERROR(
        request, -ENOSPC,
        "the store has no memory for it: max memory is %llu, or its tmpfs is full%s; "
        "delete objects, or start memstored with a larger --max-memory",
        (unsigned long long)store_limits(request->store)->max_memory, holders);
}

/* What the object is like instead. */
static void describe_conflict(const struct store_condition *condition, int error, char *text,
                              size_t size)
{
    unsigned long long version = condition->version;

    if (error == -EEXIST)
        snprintf(text, size, "there is an object already, of version %llu", version);
    else if (error == -ENOENT)
        snprintf(text, size, "no such object");
    else if (error == -EALREADY)
        snprintf(text, size, "the object still has version %llu", version);
    else if (version == condition->wanted.version)
        snprintf(text, size, "the object, of version %llu, has another etag", version);
    else
        snprintf(text, size, "the object is another one, of version %llu", version);
}

void request_answer_conflict(struct client *client, const struct frame_header *request,
                             const struct store_condition *condition, int error)
{
    const struct condition_failure failure = {.version = condition->version};
    struct frame_header extra = {.status = error, .flags = FRAME_CONDITION};
    char text[128];
    uint8_t *body;

    describe_conflict(condition, error, text, sizeof(text));
    body = client_answer(client, request, &extra, sizeof(failure) + strlen(text));
    if (body)
        append(append(body, &failure, sizeof(failure)), text, strlen(text));
}

static int answer_over_quota(struct request *request)
{
    const struct store_refusal *refusal = store_refusal(request->store);
    const char *bucket = refusal->bucket;

    request->client->server->refused++;
    if (refusal->id)
        statistics_note_refusal(request->client->server, refusal->id);
    return ANSWER_ERROR(request, -EDQUOT, "Max %s %llu would be exceeded%s%s%s", refusal->what,
                        (unsigned long long)refusal->limit, *bucket ? " (bucket " : "", bucket,
                        *bucket ? ")" : "");
}

int answer_failure(struct request *request, int error, uint32_t bucket)
{
    if (request->condition && request->condition->failed) {
        request_answer_conflict(request->client, request->header, request->condition, error);
        return 0;
    }
    switch (error) {
    case -EAGAIN:
    case -EBUSY:
    case -EINPROGRESS:
        return error;
    case -ENOENT:
        return ANSWER_ERROR(request, error, "no such object");
    case -ENXIO:
        request_answer_no_bucket(request->client, request->header, bucket);
        return 0;
    case -EFAULT:
        return answer_unreadable(request);
    case -EDQUOT:
        if (lifetimes_make_room(request->client))
            return -EINPROGRESS;
        return answer_over_quota(request);
    case -ENOSPC:
        return answer_no_memory(request, bucket);
    case -EUCLEAN:
    case -ENOTRECOVERABLE:
        request->client->server->failure = error;
        break;
    }
    return ANSWER_ERROR(request, error, "%s", strerror(-error));
}

int request_answer_failure(struct client *client, const struct frame_header *request, int error,
                           uint32_t bucket)
{
    return answer_failure(
        &(struct request){.client = client, .store = client->server->store, .header = request},
        error, bucket);
}

int answer_no_lifetime(struct request *request, int64_t ttl)
{
    return ANSWER_ERROR(request, -EINVAL, "a lifetime of %lld ms is not one of 1 to %lld",
                        (long long)ttl, TTL_MAX);
}

int answer_key_too_long(struct request *request, size_t length)
{
    return ANSWER_ERROR(request, -ENAMETOOLONG, "a key of %zu bytes is longer than %d", length,
                        KEY_MAX);
}
