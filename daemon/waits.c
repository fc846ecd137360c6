#include "waits.h"

#include "events.h"
#include "request.h"
#include "server.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define KINDS (WAIT_CHANGED + 1)

/* A key that is waited for; it goes with the last who waits for it. */
struct awaited {
    struct table_entry entry;       /* first */
    struct wait_queue waits[KINDS]; /* by enum wait_until: whom a state cannot be for is not
                                     * looked at */
    bool is_judged;                 /* stays though nobody waits any more */
    uint8_t bytes[];                /* of the key */
};

struct wait {
    struct client *client;
    struct frame_header header;
    enum wait_until until;
    uint64_t version;
    struct awaited *awaited;
    bool is_fresh; /* in waits.fresh */
    TAILQ_ENTRY(wait) entry, fresh;
};

int waits_init(struct waits *waits)
{
    TAILQ_INIT(&waits->fresh);
    return table_init(&waits->table);
}

void waits_finish(struct waits *waits)
{
    table_finish(&waits->table);
}

/* ---- coming and going ---- */

static struct awaited *awaited_create(struct waits *waits, const struct store_key *key)
{
    struct awaited *awaited = malloc(sizeof(*awaited) + key->length);

    if (!awaited)
        return NULL;
    if (key->length > 0)
        memcpy(awaited->bytes, key->data, key->length);
    awaited->entry.key = *key;
    awaited->entry.key.data = awaited->bytes;
    awaited->is_judged = false;
    for (size_t i = 0; i < KINDS; i++)
        TAILQ_INIT(&awaited->waits[i]);
    if (table_add(&waits->table, &awaited->entry) < 0) {
        free(awaited);
        return NULL;
    }
    return awaited;
}

static struct awaited *awaited_find(struct waits *waits, const struct store_key *key)
{
    return (struct awaited *)table_find(&waits->table, key);
}

static void awaited_drop_unused(struct waits *waits, struct awaited *awaited)
{
    if (awaited->is_judged)
        return;
    for (size_t i = 0; i < KINDS; i++)
        if (!TAILQ_EMPTY(&awaited->waits[i]))
            return;
    table_remove(&waits->table, &awaited->entry);
    free(awaited);
}

static void settle(struct wait *wait)
{
    if (wait->is_fresh)
        TAILQ_REMOVE(&wait->client->server->waits.fresh, wait, fresh);
    wait->is_fresh = false;
}

int wait_start(struct client *client, const struct frame_header *header,
               const struct store_key *key, enum wait_until until, uint64_t version)
{
    struct waits *waits = &client->server->waits;
    struct wait *wait = malloc(sizeof(*wait));
    struct awaited *awaited;

    if (!wait)
        return -ENOMEM;
    awaited = awaited_find(waits, key);
    if (!awaited)
        awaited = awaited_create(waits, key);
    if (!awaited) {
        free(wait);
        return -ENOMEM;
    }
    *wait = (struct wait){.client = client,
                          .header = *header,
                          .until = until,
                          .version = version,
                          .awaited = awaited,
                          .is_fresh = true};
    TAILQ_INSERT_TAIL(&awaited->waits[until], wait, entry);
    TAILQ_INSERT_TAIL(&waits->fresh, wait, fresh);
    waits->count++;
    client->wait = wait;
    return 0;
}

void wait_cancel(struct wait *wait)
{
    struct waits *waits = &wait->client->server->waits;
    struct awaited *awaited = wait->awaited;

    settle(wait);
    TAILQ_REMOVE(&awaited->waits[wait->until], wait, entry);
    waits->count--;
    wait->client->wait = NULL;
    free(wait);
    awaited_drop_unused(waits, awaited);
}

/* ---- answers ---- */

/* What there is of an object now. */
struct state {
    int found; /* 0, -ENOENT, or what else is wrong */
    struct record record;
};

static struct state look_up(struct server *server, const struct store_key *key)
{
    struct state state = {0};

    state.found = store_get(server->store, key, &state.record, NULL);
    return state;
}

static bool holds(const struct wait *wait, const struct state *state)
{
    bool exists = state->found == 0;

    switch (wait->until) {
    case WAIT_EXISTS:
        return exists;
    case WAIT_GONE:
        return !exists;
    default:
        return (exists ? state->record.version : 0) != wait->version;
    }
}

/* Ends the wait. */
static void answer(struct wait *wait, const struct state *state)
{
    const struct frame_header header = wait->header;
    uint32_t bucket = wait->awaited->entry.key.bucket;
    struct client *client = wait->client;

    wait_cancel(wait);
    if (state->found == 0)
        request_answer_info(client, &header, &state->record);
    else if (state->found == -ENOENT)
        client_answer(client, &header, NULL, 0);
    else
        request_answer_failure(client, &header, state->found, bucket);
    client_told(client);
}

static void judge(struct wait *wait, const struct state *state)
{
    bool is_wrong = state->found < 0 && state->found != -ENOENT;

    settle(wait);
    if (is_wrong || holds(wait, state))
        answer(wait, state);
}

static void judge_all(struct wait_queue *queue, const struct state *state)
{
    struct wait *wait, *next;

    for (wait = TAILQ_FIRST(queue); wait; wait = next) {
        next = TAILQ_NEXT(wait, entry);
        judge(wait, state);
    }
}

static void judge_awaited(struct waits *waits, struct awaited *awaited, const struct state *state)
{
    awaited->is_judged = true; /* and so stays here until all of it is */
    if (state->found != -ENOENT)
        judge_all(&awaited->waits[WAIT_EXISTS], state);
    if (state->found != 0)
        judge_all(&awaited->waits[WAIT_GONE], state);
    judge_all(&awaited->waits[WAIT_CHANGED], state);
    awaited->is_judged = false;
    awaited_drop_unused(waits, awaited);
}

/* The bucket was dropped. Those who wait until an object is gone have what they want. */
static void end_all(struct waits *waits, uint32_t bucket)
{
    const struct state gone = {.found = -ENOENT}, dropped = {.found = -ENXIO};
    struct table_entry *entry, *next;

    for (entry = table_next(&waits->table, bucket, NULL); entry; entry = next) {
        struct awaited *awaited = (struct awaited *)entry;

        next = table_next(&waits->table, bucket, entry);
        awaited->is_judged = true;
        judge_all(&awaited->waits[WAIT_GONE], &gone);
        judge_awaited(waits, awaited, &dropped);
    }
}

void waits_tell(struct server *server, const struct event *event)
{
    const struct store_key key = {
        .bucket = event->bucket, .data = event->key, .length = event->key_length};
    struct awaited *awaited;
    struct state state;

    if (event->kind == EVENT_DROPPED) {
        end_all(&server->waits, event->bucket);
        return;
    }
    awaited = awaited_find(&server->waits, &key);
    if (!awaited)
        return;
    state = look_up(server, &key);
    judge_awaited(&server->waits, awaited, &state);
}

void waits_begin(struct server *server)
{
    struct wait *wait, *next;

    for (wait = TAILQ_FIRST(&server->waits.fresh); wait; wait = next) {
        struct state state = look_up(server, &wait->awaited->entry.key);

        next = TAILQ_NEXT(wait, fresh);
        judge(wait, &state);
    }
}
