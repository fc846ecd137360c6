#include "request_private.h"

#include "direct.h"
#include "server.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int handle_stats(struct request *request)
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
                                   .garbage = status.garbage_bytes,
                                   .waiting = server->waits.count + server->locks.waiting,
                                   .watching = server->watches.count,
                                   .locks = server->locks.held};
    body = client_answer(request->client, request->header, NULL, sizeof(answer));
    if (body)
        memcpy(body, &answer, sizeof(answer));
    return 0;
}

int handle_holders(struct request *request)
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
