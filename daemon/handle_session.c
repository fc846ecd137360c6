#include "request_private.h"

#include "direct.h"
#include "server.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* Times to read the bytes off a socket that are before a descriptor. */
#define BELLS_MAX 64

int handle_hello(struct request *request)
{
    struct client *client = request->client;
    struct hello_answer answer = {
        .magic = PROTOCOL_MAGIC, .version = PROTOCOL_VERSION, .pid = (uint32_t)getpid()};
    struct store_status status;
    struct hello_request fixed;
    struct store_bucket_name name;
    const void *text;
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
    if (fixed.reserved != 0 || !take_bytes(&request->body, fixed.bucket_length, &text) ||
        request->body.left > 0)
        return answer_malformed(request);
    name = (struct store_bucket_name){.text = text, .length = fixed.bucket_length};
    r = check_bucket_name(request, &name);
    if (r != 1)
        return r;
    r = store_bucket_find(request->store, &name, &answer.bucket);
    if (r < 0)
        return answer_bucket_failure(request, r, &name);
    store_status(request->store, &status);
    memcpy(answer.store, status.id, sizeof(answer.store));
    client->closing = false;
    client->greeted = true;
    client->bucket = answer.bucket;
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

int handle_attach(struct request *request)
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

int handle_ring(struct request *request)
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

int handle_direct(struct request *request)
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
