#include "remains.h"

#include "server.h"

#include <errno.h>

/* After a failure, microseconds. */
#define PAUSE 10000

void remains_clear(struct server *server)
{
    int r, committed;

    if (!store_has_dropped(server->store) || server_now() < server->remains_again)
        return;
    r = store_clear_dropped(server->store);
    committed = server_commit(server);
    if (r >= 0)
        r = committed;
    server->remains_again = r < 0 ? server_now() + PAUSE : 0;
    if (r < 0 && r != -EAGAIN && r != -EBUSY && r != -ENOSPC && r != -ENOMEM)
        server->failure = r;
}

uint64_t remains_next(const struct server *server)
{
    return store_has_dropped(server->store) ? server->remains_again : UINT64_MAX;
}
