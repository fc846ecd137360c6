#include "idle.h"

#include "guard.h"
#include "server.h"

#include <errno.h>

#define IDLE 1000000        /* microseconds without use */
#define SMALL (64U << 10)   /* bytes that are not worth it */
#define SHARE (16ULL << 20) /* bytes that are given back in one turn */

/* Its buffer is in use now. */
static void put_last(struct client *client)
{
    struct server *server = client->server;

    idle_leave(client);
    client->bulk_used = server->turn_started;
    client->is_warm = true;
    TAILQ_INSERT_TAIL(&server->warm, client, warm);
}

void idle_note(struct client *client)
{
    if (client->connection.ring.page && client->bulk.touched > SMALL)
        put_last(client);
}

void idle_leave(struct client *client)
{
    if (client->is_warm)
        TAILQ_REMOVE(&client->server->warm, client, warm);
    client->is_warm = false;
}

uint64_t idle_next(const struct server *server)
{
    const struct client *client = TAILQ_FIRST(&server->warm);

    return client ? client->bulk_used + IDLE : UINT64_MAX;
}

/* Takes the buffer from a client that does not use it. -EBUSY: it does. */
static int take(void *context)
{
    struct ring_page *page = context;
    uint32_t use = RING_BULK_IDLE;

    return atomic_compare_exchange_strong(&page->bulk_use, &use, RING_BULK_DAEMON) ? 0 : -EBUSY;
}

static int give(void *context)
{
    struct ring_page *page = context;

    atomic_store(&page->bulk_use, RING_BULK_IDLE);
    return 0;
}

void idle_give_back(struct server *server)
{
    struct client *client = TAILQ_FIRST(&server->warm);
    struct ring_page *page;

    if (!client || server->turn_started < client->bulk_used + IDLE)
        return;
    page = client->connection.ring.page;
    if (client->upload || client->listing || guard_call(take, page) < 0) {
        put_last(client);
        return;
    }
    bulk_release(&client->bulk, SHARE);
    if (client->bulk.touched == 0)
        idle_leave(client);
    guard_call(give, page);
    client_tell(client);
}
