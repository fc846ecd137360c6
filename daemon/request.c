#include "request.h"

#include "batch.h"
#include "direct.h"
#include "entry.h"
#include "guard.h"
#include "listing.h"
#include "metadata.h"
#include "server.h"
#include "upload.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* Bytes that a request may move in a turn with others. */
#define LARGE (1U << 20)

/* Times to read the bytes off a socket that are before a descriptor. */
#define BELLS_MAX 64

/* Processes that an error names as holders of memory. */
#define HOLDERS_NAMED 8

/* The body of a request, as it is taken apart. */
struct body {
    const uint8_t *at;
    size_t left;
};

/* A request on its way to an answer. */
struct request {
    struct client *client;
    struct store *store;
    const struct frame_header *header;
    struct body body;
    bool in_batch; /* one of its requests */
};

/* ---- answers ---- */

static uint8_t *append(uint8_t *place, const void *data, size_t length)
{
    if (length > 0)
        memcpy(place, data, length);
    return place + length;
}

void request_answer_no_bucket(struct client *client, const struct frame_header *request,
                              uint32_t bucket)
{
    client_answer_error(client, request, -ENOENT, "there is no bucket %u", (unsigned)bucket);
}

static int answer_nothing(struct request *request)
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

static int answer_info(struct request *request, const struct record *record)
{
    request_answer_info(request->client, request->header, record);
    return 0;
}

#define ANSWER_ERROR(request, ...) \
    (client_answer_error((request)->client, (request)->header, __VA_ARGS__), 0)

static int answer_malformed(struct request *request)
{
    return ANSWER_ERROR(request, -EPROTO,
                        "the request's body does not have the form of operation %u",
                        (unsigned)request->header->operation);
}

static int answer_unreadable(struct request *request)
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

static int answer_no_memory(struct request *request)
{
    struct server *server = request->client->server;
    char holders[HOLDERS_NAMED * 64 + 64];

    /* What was replaced or deleted may be free by now. */
    if (!server->collected)
        return -ENOBUFS;
    server->refused++;
    describe_holders(server, holders, sizeof(holders));
    return ANSWER_ERROR(
        request, -ENOSPC,
        "the store has no memory for it: max memory is %llu, or its tmpfs is full%s; "
        "delete objects, or start memstored with a larger --max-memory",
        (unsigned long long)store_limits(request->store)->max_memory, holders);
}

/* What the store says, in words for people. */
static int answer_failure(struct request *request, int error, uint32_t bucket)
{
    const struct store_limits *limits = store_limits(request->store);

    switch (error) {
    case -EAGAIN:
    case -EBUSY:
        return error;
    case -ENOENT:
        return ANSWER_ERROR(request, error, "no such object");
    case -ENXIO:
        request_answer_no_bucket(request->client, request->header, bucket);
        return 0;
    case -EFAULT:
        return answer_unreadable(request);
    case -EDQUOT:
        request->client->server->refused++;
        return ANSWER_ERROR(request, error, "Max size %llu would be exceeded",
                            (unsigned long long)limits->max_size);
    case -ENOSPC:
        return answer_no_memory(request);
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

/* ---- taking bodies apart ---- */

/* Copies a struct off the front. */
static bool take(struct body *body, void *to, size_t size)
{
    if (body->left < size)
        return false;
    memcpy(to, body->at, size);
    body->at += size;
    body->left -= size;
    return true;
}

/* Takes bytes off the front, which stay where they are. */
static bool take_bytes(struct body *body, size_t length, const void **ret_bytes)
{
    if (body->left < length)
        return false;
    *ret_bytes = body->at;
    body->at += length;
    body->left -= length;
    return true;
}

static bool take_key(struct body *body, uint32_t bucket, size_t length, struct store_key *ret_key)
{
    *ret_key = (struct store_key){.bucket = bucket, .length = length};
    return take_bytes(body, length, &ret_key->data);
}

static int answer_key_too_long(struct request *request, size_t length)
{
    return ANSWER_ERROR(request, -ENAMETOOLONG, "a key of %zu bytes is longer than %d", length,
                        KEY_MAX);
}

/* The whole body of EXISTS, DELETE and INFO. Returns 1 if it is fine, 0 if it has been answered. */
static int take_key_request(struct request *request, struct store_key *ret_key)
{
    struct key_request fixed;

    if (!take(&request->body, &fixed, sizeof(fixed)) || fixed.reserved != 0 ||
        !take_key(&request->body, fixed.bucket, fixed.key_length, ret_key) ||
        request->body.left > 0)
        return answer_malformed(request);
    if (fixed.key_length > KEY_MAX)
        return answer_key_too_long(request, fixed.key_length);
    return 1;
}

/* ---- handlers ---- */

static int handle_hello(struct request *request)
{
    struct client *client = request->client;
    struct hello_answer answer = {
        .magic = PROTOCOL_MAGIC, .version = PROTOCOL_VERSION, .pid = (uint32_t)getpid()};
    struct store_status status;
    struct hello_request fixed;
    const void *name;
    uint8_t *body;
    int r;

    if (client->greeted)
        return ANSWER_ERROR(request, -EPROTO, "HELLO comes once, as the first frame");
    client->closing = true; /* unless all is well */
    if (!take(&request->body, &fixed, sizeof(fixed)) || fixed.magic != PROTOCOL_MAGIC)
        return ANSWER_ERROR(request, -EPROTO, "this is not memstore's protocol");
    if (fixed.version_min > PROTOCOL_VERSION || fixed.version_max < PROTOCOL_VERSION)
        return ANSWER_ERROR(request, -EPROTONOSUPPORT,
                            "the client speaks versions %u to %u of the protocol, the daemon %u",
                            fixed.version_min, fixed.version_max, PROTOCOL_VERSION);
    if (fixed.reserved != 0 || !take_bytes(&request->body, fixed.bucket_length, &name) ||
        request->body.left > 0)
        return answer_malformed(request);
    if (fixed.bucket_length > BUCKET_NAME_MAX)
        return ANSWER_ERROR(request, -ENAMETOOLONG, "a bucket's name of %u bytes is longer than %d",
                            fixed.bucket_length, BUCKET_NAME_MAX);
    r = fixed.bucket_length == 0
            ? -ENOENT
            : store_bucket(request->store, name, fixed.bucket_length, &answer.bucket);
    if (r == -ENOENT)
        return ANSWER_ERROR(request, r, "there is no bucket '%.*s'", (int)fixed.bucket_length,
                            (const char *)name);
    if (r < 0)
        return answer_failure(request, r, 0);
    store_status(request->store, &status);
    memcpy(answer.store, status.id, sizeof(answer.store));
    client->closing = false;
    client->greeted = true;
    body = client_answer(client, request->header, NULL, sizeof(answer));
    if (body)
        memcpy(body, &answer, sizeof(answer));
    return 0;
}

/* The one descriptor that came with the request, or what is wrong with them. */
static int take_fd(struct request *request, int *ret_fd)
{
    struct connection *connection = &request->client->connection;

    /* With a ring, descriptors have come over the socket before, behind bytes that wake us. */
    for (int i = 0; i < BELLS_MAX && connection->ring.page && connection->received == 0; i++) {
        int r = connection_receive_bell(connection);

        if (r < 0)
            return r;
        if (r == 0)
            break;
    }
    return connection_take_fds(connection, ret_fd, 1);
}

static int answer_bad_file(struct request *request, int error, const char *wanted)
{
    switch (error) {
    case -EBADF:
        return ANSWER_ERROR(request, error, "no descriptor came with it");
    case -E2BIG:
        return ANSWER_ERROR(request, error, "more than one descriptor came with it");
    case -EMFILE:
        return ANSWER_ERROR(request, error,
                            "memstored has no descriptors left; raise its limit (LimitNOFILE, "
                            "ulimit -n)");
    case -EINVAL:
        return ANSWER_ERROR(request, error, "%s", wanted);
    default:
        return ANSWER_ERROR(request, error, "%s", strerror(-error));
    }
}

static int handle_attach(struct request *request)
{
    int fd;
    int r;

    if (request->body.left > 0)
        return answer_malformed(request);
    r = take_fd(request, &fd);
    if (r == 0)
        r = bulk_attach(&request->client->bulk, fd);
    if (r == -EALREADY)
        return ANSWER_ERROR(request, r, "the connection has a bulk buffer");
    if (r < 0)
        return answer_bad_file(request, r,
                               "a bulk buffer is a memfd that is not empty, sealed against "
                               "shrinking and not against writing");
    return answer_nothing(request);
}

static int handle_ring(struct request *request)
{
    struct client *client = request->client;
    void *file = NULL;
    int fd;
    int r;

    if (request->body.left > 0)
        return answer_malformed(request);
    r = take_fd(request, &fd);
    if (r == 0)
        r = rings_map(fd, &file);
    if (r < 0)
        return answer_bad_file(request, r,
                               "a ring is a memfd of the size that the protocol says, sealed "
                               "against shrinking and growing and not against writing");
    if (client->connection.ring.page) {
        munmap(file, RING_FILE_SIZE);
        return ANSWER_ERROR(request, -EALREADY, "the connection has a ring");
    }
    if (client_answer(client, request->header, NULL, 0))
        rings_begin(client, file);
    else
        munmap(file, RING_FILE_SIZE);
    return 0;
}

/* Requests that move much come one at a time, between turns of the others, so that nobody waits for
 * more than one of them. */
bool request_must_wait(struct client *client)
{
    struct server *server = client->server;

    server->large_done = server->large_allowed;
    return !server->large_allowed;
}

static int answer_too_large(struct request *request)
{
    return ANSWER_ERROR(request, -EFBIG, "a value of %u bytes is larger than %llu",
                        request->header->bulk_length, VALUE_MAX);
}

/* Where the value of a PUT stands: 1, or 0 if it has been answered. */
static int take_value(struct request *request, uint64_t *ret_size, const void **ret_value)
{
    const struct frame_header *header = request->header;
    uint8_t *part;
    int r;

    *ret_size = request->body.left;
    *ret_value = request->body.at;
    if (!(header->flags & FRAME_BULK))
        return 1;
    if (request->body.left > 0)
        return answer_malformed(request);
    if (header->bulk_length > VALUE_MAX)
        return answer_too_large(request);
    r = bulk_part(&request->client->bulk, header->bulk_offset, header->bulk_length, &part);
    if (r < 0)
        return ANSWER_ERROR(request, r, "the value is not inside the bulk buffer");
    *ret_size = header->bulk_length;
    *ret_value = part;
    return 1;
}

/* The size of a value that comes through a window: 1, or 0 if it has been answered. */
static int take_window(struct request *request, uint32_t window, uint64_t *ret_size)
{
    const struct frame_header *header = request->header;
    uint8_t *part;
    int r;

    if (!(header->flags & FRAME_BULK) || request->body.left > 0 || request->in_batch ||
        !request->client->connection.ring.page)
        return answer_malformed(request);
    if (header->bulk_length > VALUE_MAX)
        return answer_too_large(request);
    r = bulk_part(&request->client->bulk, header->bulk_offset, window, &part);
    if (r < 0)
        return ANSWER_ERROR(request, r, "the window is not inside the bulk buffer");
    *ret_size = header->bulk_length;
    return 1;
}

/* The content type and metadata of a PUT: 1, or 0 if it has been answered. */
static int take_attributes(struct request *request, const struct put_request *fixed,
                           struct record *record)
{
    const void *type, *metadata;
    size_t type_length = fixed->type_length == NO_CONTENT_TYPE ? 0 : fixed->type_length;

    if (!take_bytes(&request->body, type_length, &type) ||
        !take_bytes(&request->body, fixed->metadata_length, &metadata))
        return answer_malformed(request);
    if (type_length > CONTENT_TYPE_MAX)
        return ANSWER_ERROR(request, -E2BIG, "a content type of %zu bytes is longer than %d",
                            type_length, CONTENT_TYPE_MAX);
    if (fixed->metadata_length > METADATA_MAX)
        return ANSWER_ERROR(request, -E2BIG, "metadata of %u bytes is longer than %d",
                            fixed->metadata_length, METADATA_MAX);
    if (memchr(type, '\0', type_length))
        return ANSWER_ERROR(request, -EINVAL, "the content type has a NUL in it");
    if (metadata_check(metadata, fixed->metadata_length) < 0)
        return ANSWER_ERROR(request, -EINVAL,
                            "the metadata is not a run of pairs whose names ascend, without NULs");
    record->type = type;
    record->type_length = fixed->type_length;
    record->metadata = metadata;
    record->metadata_length = fixed->metadata_length;
    return 1;
}

static int handle_put(struct request *request)
{
    struct record attributes = {0};
    struct put_request fixed;
    struct store_key key;
    struct record record;
    const void *value = NULL;
    int r;

    if (!take(&request->body, &fixed, sizeof(fixed)) ||
        !take_key(&request->body, fixed.bucket, fixed.key_length, &key))
        return answer_malformed(request);
    r = take_attributes(request, &fixed, &attributes);
    if (r == 1 && fixed.window > 0)
        r = take_window(request, fixed.window, &attributes.size);
    else if (r == 1)
        r = take_value(request, &attributes.size, &value);
    if (r != 1)
        return r;
    if (fixed.key_length > KEY_MAX)
        return answer_key_too_long(request, fixed.key_length);
    if ((attributes.size > UPLOAD_MIN && !request->in_batch) || fixed.window > 0) {
        r = upload_start(request->client, request->header, fixed.window, &key, &attributes);
        return r < 0 ? answer_failure(request, r, fixed.bucket) : 0;
    }
    request->client->moved += attributes.size;
    r = store_put(request->store, &key, &attributes, value, &record);
    return r < 0 ? answer_failure(request, r, fixed.bucket) : answer_info(request, &record);
}

/* Answers with a part of a value: in the frame if it is small, or there is no other place. */
static int answer_value(struct request *request, const struct record *record, const uint8_t *value,
                        uint64_t length, uint8_t *room)
{
    const struct frame_header *header = request->header;
    size_t info_length = entry_length(record, 0);
    bool in_bulk = room && length > INLINE_MAX && length <= header->bulk_length;
    struct frame_header extra = {0};
    uint8_t *body;

    if (!in_bulk && length > BODY_MAX - info_length) {
        extra.status = -EMSGSIZE;
        extra.bulk_length = (uint32_t)length;
        client_answer(request->client, header, &extra, 0);
        return 0;
    }
    if (in_bulk) {
        extra.flags = FRAME_BULK;
        extra.bulk_offset = header->bulk_offset;
        extra.bulk_length = (uint32_t)length;
        if (guard_copy(room, value, length) < 0)
            return answer_unreadable(request);
        bulk_forget(&request->client->bulk, header->bulk_offset, length);
    }
    body = client_answer(request->client, header, &extra, info_length + (in_bulk ? 0 : length));
    if (!body)
        return 0;
    body = entry_write(body, record, NULL, 0);
    if (!in_bulk)
        append(body, value, length);
    return 0;
}

/* The room that the client offers for an answer: 1, or 0 if it has been answered. */
static int take_room(struct request *request, uint8_t **ret_room)
{
    const struct frame_header *header = request->header;
    int r;

    *ret_room = NULL;
    if (!(header->flags & FRAME_BULK))
        return 1;
    r = bulk_part(&request->client->bulk, header->bulk_offset, header->bulk_length, ret_room);
    if (r < 0)
        return ANSWER_ERROR(request, r, "the room for the answer is not inside the bulk buffer");
    return 1;
}

static int handle_get(struct request *request)
{
    struct get_request fixed;
    struct store_key key;
    struct record record;
    const uint8_t *value;
    uint64_t length;
    uint8_t *room;
    int r;

    if (!take(&request->body, &fixed, sizeof(fixed)) || fixed.reserved != 0 ||
        !take_key(&request->body, fixed.bucket, fixed.key_length, &key) || request->body.left > 0)
        return answer_malformed(request);
    if (fixed.key_length > KEY_MAX)
        return answer_key_too_long(request, fixed.key_length);
    r = take_room(request, &room);
    if (r != 1)
        return r;
    r = store_get(request->store, &key, &record, &value);
    if (r < 0)
        return answer_failure(request, r, fixed.bucket);
    if (fixed.offset > record.size)
        return ANSWER_ERROR(request, -ERANGE,
                            "the range begins at %llu, beyond the end of a value of %llu bytes",
                            (unsigned long long)fixed.offset, (unsigned long long)record.size);
    length = record.size - fixed.offset;
    if (fixed.length < length)
        length = fixed.length;
    if (length > BATCH_ANSWERS_MAX && request->in_batch)
        return ANSWER_ERROR(request, -E2BIG, "the answers of a batch are too many bytes");
    if (length > LARGE && !request->in_batch && request_must_wait(request->client))
        return -EINPROGRESS;
    request->client->moved += length;
    return answer_value(request, &record, value + fixed.offset, length, room);
}

static int handle_exists(struct request *request)
{
    struct store_key key;
    struct record record;
    int r = take_key_request(request, &key);

    if (r != 1)
        return r;
    r = store_get(request->store, &key, &record, NULL);
    return r < 0 ? answer_failure(request, r, key.bucket) : answer_nothing(request);
}

static int handle_info(struct request *request)
{
    struct store_key key;
    struct record record;
    int r = take_key_request(request, &key);

    if (r != 1)
        return r;
    r = store_get(request->store, &key, &record, NULL);
    return r < 0 ? answer_failure(request, r, key.bucket) : answer_info(request, &record);
}

static int handle_delete(struct request *request)
{
    struct store_key key;
    int r = take_key_request(request, &key);

    if (r != 1)
        return r;
    r = store_delete(request->store, &key);
    return r < 0 ? answer_failure(request, r, key.bucket) : answer_nothing(request);
}

static int handle_list(struct request *request)
{
    struct list_request fixed;
    struct store_key prefix, after;
    size_t after_length;
    uint8_t *room;
    int r;

    if (!take(&request->body, &fixed, sizeof(fixed)))
        return answer_malformed(request);
    after_length = fixed.after_length == NO_AFTER ? 0 : fixed.after_length;
    if (!take_key(&request->body, fixed.bucket, fixed.prefix_length, &prefix) ||
        !take_key(&request->body, fixed.bucket, after_length, &after) || request->body.left > 0)
        return answer_malformed(request);
    if (prefix.length > KEY_MAX || after.length > KEY_MAX)
        return answer_key_too_long(request, prefix.length > KEY_MAX ? prefix.length : after.length);
    r = take_room(request, &room);
    if (r != 1)
        return r;
    r = listing_start(request->client, &(struct listing_request){
                                           .header = request->header,
                                           .prefix = prefix,
                                           .after = fixed.after_length == NO_AFTER ? NULL : &after,
                                           .limit = fixed.limit,
                                           .room = room});
    return r < 0 ? answer_failure(request, r, fixed.bucket) : 0;
}

static int handle_pair(struct request *request,
                       int (*change)(struct store *, const struct store_key *,
                                     const struct store_key *, struct record *))
{
    struct pair_request fixed;
    struct store_key source, target;
    struct record record;
    int r;

    if (!take(&request->body, &fixed, sizeof(fixed)) ||
        !take_key(&request->body, fixed.bucket, fixed.source_length, &source) ||
        !take_key(&request->body, fixed.bucket, fixed.target_length, &target) ||
        request->body.left > 0)
        return answer_malformed(request);
    if (source.length > KEY_MAX || target.length > KEY_MAX)
        return answer_key_too_long(request,
                                   source.length > KEY_MAX ? source.length : target.length);
    r = change(request->store, &source, &target, &record);
    return r < 0 ? answer_failure(request, r, fixed.bucket) : answer_info(request, &record);
}

static int handle_copy(struct request *request)
{
    return handle_pair(request, store_copy);
}

static int handle_move(struct request *request)
{
    return handle_pair(request, store_move);
}

static int handle_stats(struct request *request)
{
    const struct server *server = request->client->server;
    const struct store_limits *limits = store_limits(request->store);
    struct store_status status;
    struct direct_totals totals;
    struct stats_answer answer;
    uint8_t *body;

    if (request->body.left > 0)
        return answer_malformed(request);
    store_status(request->store, &status);
    direct_totals(request->client->server, &totals);
    answer = (struct stats_answer){.max_size = limits->max_size,
                                   .max_memory = limits->max_memory,
                                   .used = status.used,
                                   .objects = status.objects,
                                   .memory = status.memory,
                                   .version = status.version,
                                   .buckets = status.buckets,
                                   .clients = server->clients,
                                   .requests = server->requests,
                                   .commits = status.commits,
                                   .refused = server->refused,
                                   .uptime = server_now() - server->started,
                                   .pid = (uint64_t)getpid(),
                                   .readers = totals.readers,
                                   .views = totals.views,
                                   .pinned = totals.pinned,
                                   .garbage = status.garbage_bytes};
    body = client_answer(request->client, request->header, NULL, sizeof(answer));
    if (body)
        memcpy(body, &answer, sizeof(answer));
    return 0;
}

static int handle_direct(struct request *request)
{
    struct client *client = request->client;
    struct direct_answer answer;
    struct store_status status;
    uint8_t *body;
    int r;

    if (request->body.left > 0)
        return answer_malformed(request);
    if (client->connection.ring.page)
        return ANSWER_ERROR(request, -EPROTO, "DIRECT comes before RING");
    r = direct_admit(client);
    if (r == -EPERM)
        return ANSWER_ERROR(request, r, "direct reads are not for this user");
    if (r == -EALREADY)
        return ANSWER_ERROR(request, r, "the connection reads directly");
    if (r < 0)
        return answer_failure(request, r, 0);
    store_status(request->store, &status);
    answer = (struct direct_answer){.map_size = status.map_size};
    body = client_answer(client, request->header, NULL, sizeof(answer));
    if (!body)
        return 0;
    memcpy(body, &answer, sizeof(answer));
    client->connection.passing_fds[0] = client->server->direct.folder_fd;
    client->connection.passing_fds[1] = client->pins.fd;
    client->connection.passing = 2;
    return 0;
}

static int handle_holders(struct request *request)
{
    const size_t max = (BODY_MAX - sizeof(struct list_answer)) / sizeof(struct holder);
    struct list_answer answer;
    struct holder *holders;
    uint8_t *body;

    if (request->body.left > 0)
        return answer_malformed(request);
    holders = calloc(max, sizeof(*holders));
    if (!holders)
        return answer_failure(request, -ENOMEM, 0);
    answer.count = direct_holders(request->client->server, holders, max);
    body = client_answer(request->client, request->header, NULL,
                         sizeof(answer) + answer.count * sizeof(*holders));
    if (body)
        append(append(body, &answer, sizeof(answer)), holders, answer.count * sizeof(*holders));
    free(holders);
    return 0;
}

static int handle_batch(struct request *request)
{
    struct batch_request fixed;

    if (!take(&request->body, &fixed, sizeof(fixed)) || fixed.reserved != 0 || fixed.count == 0 ||
        request->body.left > 0)
        return answer_malformed(request);
    if (!(request->header->flags & FRAME_BULK))
        return ANSWER_ERROR(request, -EPROTO, "the requests of a batch stand in the bulk buffer");
    if (fixed.count > BATCH_COUNT_MAX || request->header->bulk_length > BATCH_BYTES_MAX)
        return ANSWER_ERROR(request, -E2BIG, "a batch has at most %d requests and %u bytes",
                            BATCH_COUNT_MAX, BATCH_BYTES_MAX);
    return batch_handle(request->client, request->header, fixed.count);
}

/* ---- dispatch ---- */

static const struct operation_row {
    int (*handle)(struct request *request);
    bool takes_bulk;
    bool in_batch; /* a batch can have it */
} operations[] = {
    [OPERATION_HELLO] = {handle_hello, false, false},
    [OPERATION_ATTACH] = {handle_attach, false, false},
    [OPERATION_PUT] = {handle_put, true, true},
    [OPERATION_GET] = {handle_get, true, true},
    [OPERATION_EXISTS] = {handle_exists, false, true},
    [OPERATION_DELETE] = {handle_delete, false, true},
    [OPERATION_INFO] = {handle_info, false, false},
    [OPERATION_LIST] = {handle_list, true, false},
    [OPERATION_COPY] = {handle_copy, false, false},
    [OPERATION_MOVE] = {handle_move, false, false},
    [OPERATION_STATS] = {handle_stats, false, false},
    [OPERATION_DIRECT] = {handle_direct, false, false},
    [OPERATION_HOLDERS] = {handle_holders, false, false},
    [OPERATION_RING] = {handle_ring, false, false},
    [OPERATION_BATCH] = {handle_batch, true, false},
};

static const struct operation_row *find_operation(uint16_t operation)
{
    if (operation >= sizeof(operations) / sizeof(operations[0]) || !operations[operation].handle)
        return NULL;
    return &operations[operation];
}

/* Whether the header is one that a request of this operation can have. */
static bool is_header_sound(const struct frame_header *header, uint16_t known)
{
    if (header->flags & ~known || header->status != 0)
        return false;
    return (header->flags & FRAME_BULK) || (header->bulk_length == 0 && header->bulk_offset == 0);
}

static int answer_unsound(struct request *request)
{
    return ANSWER_ERROR(request, -EPROTO,
                        "the frame header has flags, a status or bulk fields that operation %u "
                        "does not have",
                        (unsigned)request->header->operation);
}

static void request_init(struct request *request, struct client *client, const struct frame *frame)
{
    *request = (struct request){.client = client,
                                .store = client->server->store,
                                .header = &frame->header,
                                .body = {.at = frame->body, .left = frame->body_length}};
}

int request_handle(struct client *client, const struct frame *frame)
{
    uint16_t operation = frame->header.operation;
    const struct operation_row *row = find_operation(operation);
    struct request request;

    request_init(&request, client, frame);
    if (!client->greeted && operation != OPERATION_HELLO) {
        client->closing = true;
        return ANSWER_ERROR(&request, -EPROTO, "the first frame must be HELLO");
    }
    if (!row)
        return ANSWER_ERROR(&request, -EOPNOTSUPP, "there is no operation %u", operation);
    if (!is_header_sound(&frame->header, FRAME_CHAINED | (row->takes_bulk ? FRAME_BULK : 0)))
        return answer_unsound(&request);
    if (!(frame->header.flags & FRAME_CHAINED))
        client->chain_broken = false;
    else if (client->chain_broken)
        return ANSWER_ERROR(&request, -ECANCELED, "an answer before this one did not fit");
    return row->handle(&request);
}

int request_handle_in_batch(struct client *client, const struct frame *frame)
{
    const struct operation_row *row = find_operation(frame->header.operation);
    struct request request;

    request_init(&request, client, frame);
    request.in_batch = true;
    if (!row || !row->in_batch)
        return ANSWER_ERROR(&request, -EPROTO, "operation %u cannot be in a batch",
                            frame->header.operation);
    if (!is_header_sound(&frame->header, row->takes_bulk ? FRAME_BULK : 0))
        return answer_unsound(&request);
    return row->handle(&request);
}
