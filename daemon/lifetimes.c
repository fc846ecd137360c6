#include "lifetimes.h"

#include "boottime.h"
#include "server.h"

#include <errno.h>
#include <stdlib.h>

/* After a failure, microseconds. */
#define PAUSE 100000

/* While the machine sleeps epoll's clock stands still, and that of lifetimes goes on. */
#define SLEEP_MAX (60 * UINT64_C(1000000))

/* How often the objects of a client that has nearly as many as it may are counted anew,
 * microseconds. One that has fewer is counted again when it has put the rest. */
#define COUNT_INTERVAL 1000000
#define NEARLY (EPHEMERAL_MAX - EPHEMERAL_MAX / 16)

/* ---- owners ---- */

int lifetimes_begin(struct server *server)
{
    uint32_t owner;
    int r;

    while ((r = store_next_owner(server->store, 0, &owner)) == 1) {
        r = store_bury(server->store, owner);
        if (server_commit(server) < 0 && r >= 0)
            r = -EIO;
        if (r < 0 && r != -EAGAIN)
            return r;
    }
    return r;
}

void lifetimes_finish(struct server *server)
{
    struct owner *owner;

    while ((owner = STAILQ_FIRST(&server->abandoned))) {
        STAILQ_REMOVE_HEAD(&server->abandoned, entry);
        free(owner);
    }
}

/* A number that nobody else has: those of the dead are in use until all of theirs is gone. */
static int owner_create(struct server *server, struct owner **ret_owner)
{
    struct owner *owner = calloc(1, sizeof(*owner));
    uint32_t used;
    int r;

    if (!owner)
        return -ENOMEM;
    do {
        owner->number = ++server->last_owner;
        r = store_next_owner(server->store, owner->number, &used);
    } while (owner->number == 0 || (r == 1 && used == owner->number));
    if (r < 0) {
        free(owner);
        return r;
    }
    *ret_owner = owner;
    return 0;
}

/* What was the client's may have been deleted or replaced since, by others or by itself. */
static int count_anew(struct client *client, uint32_t weight)
{
    struct owner *owner = client->owner;
    uint64_t now = server_now();
    int64_t count;

    if (owner->counted && now - owner->counted < COUNT_INTERVAL)
        return -EDQUOT;
    count = store_count_owned(client->server->store, owner->number, EPHEMERAL_MAX);
    if (count < 0)
        return (int)count;
    owner->objects = (uint32_t)count;
    owner->counted = count < NEARLY ? 0 : now;
    return count + weight <= EPHEMERAL_MAX ? 0 : -EDQUOT;
}

int lifetimes_own(struct client *client, uint32_t weight, uint32_t *ret_owner)
{
    int r = client->owner ? 0 : owner_create(client->server, &client->owner);

    if (r == 0 && client->owner->objects + weight > EPHEMERAL_MAX)
        r = count_anew(client, weight);
    if (r < 0)
        return r;
    client->owner->objects += weight;
    *ret_owner = client->owner->number;
    return 0;
}

void lifetimes_abandon(struct client *client)
{
    if (client->owner)
        STAILQ_INSERT_TAIL(&client->server->abandoned, client->owner, entry);
    client->owner = NULL;
}

/* ---- shares ---- */

static bool is_passing(int error)
{
    return error == -EAGAIN || error == -EBUSY || error == -ENOSPC || error == -ENOMEM;
}

/* A share was taken away, in a transaction of its own. */
static void end_share(struct server *server, int result)
{
    int r = server_commit(server);

    /* Without the commit nothing is gone: whoever waits for the room must not wait for ever. */
    if (result >= 0)
        result = r;
    if (result < 0)
        server->lifetimes_again = server_now() + PAUSE;
    if (result < 0 && !is_passing(result))
        server->failure = result;
}

static void bury(struct server *server)
{
    struct owner *owner = STAILQ_FIRST(&server->abandoned);
    int r;

    if (!owner)
        return;
    r = store_bury(server->store, owner->number);
    if (r == 0) {
        STAILQ_REMOVE_HEAD(&server->abandoned, entry);
        free(owner);
    }
    end_share(server, r);
}

static void expire(struct server *server)
{
    int64_t next = store_next_expiry(server->store);

    if (next != INT64_MAX && boottime_now() >= next)
        end_share(server, store_expire(server->store));
}

void lifetimes_end(struct server *server)
{
    if (server->lifetimes_again && server_now() < server->lifetimes_again)
        return;
    server->lifetimes_again = 0;
    bury(server);
    expire(server);
}

uint64_t lifetimes_next(const struct server *server)
{
    int64_t next = store_next_expiry(server->store);
    uint64_t rest, until;
    int64_t now;

    if (!STAILQ_EMPTY(&server->abandoned))
        return server->lifetimes_again;
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
