#include "lifetimes.h"

#include "boottime.h"
#include "server.h"

#include <errno.h>

/* After a failure, microseconds. */
#define PAUSE 100000

/* While the machine sleeps epoll's clock stands still, and that of lifetimes goes on. */
#define SLEEP_MAX (60 * UINT64_C(1000000))

void lifetimes_end(struct server *server)
{
    int64_t next = store_next_expiry(server->store);
    int r;

    if (next == INT64_MAX || boottime_now() < next || server_now() < server->lifetimes_again)
        return;
    r = store_expire(server->store);
    server_commit(server);
    server->lifetimes_again = r < 0 ? server_now() + PAUSE : 0;
    if (r < 0 && r != -EAGAIN && r != -EBUSY && r != -ENOSPC && r != -ENOMEM)
        server->failure = r;
}

uint64_t lifetimes_next(const struct server *server)
{
    int64_t next = store_next_expiry(server->store);
    uint64_t rest, until;
    int64_t now;

    if (next == INT64_MAX)
        return UINT64_MAX;
    now = boottime_now();
    rest = next > now ? (uint64_t)(next - now) : 0;
    until = server_now() + (rest < SLEEP_MAX ? rest : SLEEP_MAX);
    return until > server->lifetimes_again ? until : server->lifetimes_again;
}

bool lifetimes_make_room(struct client *client)
{
    if (client->short_since == 0)
        client->short_since = boottime_now();
    return store_next_expiry(client->server->store) <= client->short_since &&
           !client->server->lifetimes_again;
}
