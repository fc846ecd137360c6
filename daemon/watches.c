#include "watches.h"

#include "events.h"
#include "request.h"
#include "rings.h"
#include "server.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Unsent bytes of a client that may get more. */
#define UNSENT_MAX FRAME_MAX

/* Events that one who is behind looks at in a turn, and how many of them have their go. */
#define SHARE 4096
#define AT_WORK_MAX 16

/* A bucket that is watched; it goes with the last who watches it. */
struct watched {
    struct table_entry entry; /* first; the name is empty */
    struct watch_queue watches;
};

struct watch {
    struct client *client;
    struct frame_header header;
    struct watched *watched;
    uint64_t from;  /* the version, until it has begun */
    uint64_t next;  /* event of the history to go on with, when it is behind */
    bool has_begun; /* its request has been answered */
    bool is_behind;
    bool is_queued; /* in watches.behind */
    TAILQ_ENTRY(watch) entry, behind;
    size_t prefix_length;
    uint8_t prefix[];
};

int watches_init(struct watches *watches, uint64_t version)
{
    int r = table_init(&watches->table);

    TAILQ_INIT(&watches->behind);
    return r < 0 ? r : history_init(&watches->history, version);
}

void watches_finish(struct watches *watches)
{
    table_finish(&watches->table);
    history_finish(&watches->history);
}

/* ---- coming and going ---- */

static struct store_key bucket_key(uint32_t bucket)
{
    return (struct store_key){.bucket = bucket};
}

static struct watched *watched_find(struct watches *watches, uint32_t bucket)
{
    const struct store_key key = bucket_key(bucket);

    return (struct watched *)table_find(&watches->table, &key);
}

static struct watched *watched_create(struct watches *watches, uint32_t bucket)
{
    struct watched *watched = malloc(sizeof(*watched));

    if (!watched)
        return NULL;
    watched->entry.key = bucket_key(bucket);
    TAILQ_INIT(&watched->watches);
    if (table_add(&watches->table, &watched->entry) < 0) {
        free(watched);
        return NULL;
    }
    return watched;
}

static void set_queued(struct watch *watch, bool queued)
{
    struct watches *watches = &watch->client->server->watches;

    if (queued && !watch->is_queued)
        TAILQ_INSERT_TAIL(&watches->behind, watch, behind);
    else if (!queued && watch->is_queued)
        TAILQ_REMOVE(&watches->behind, watch, behind);
    watch->is_queued = queued;
}

int watch_start(struct client *client, const struct frame_header *header,
                const struct store_key *prefix, uint64_t from)
{
    struct watches *watches = &client->server->watches;
    struct watch *watch = calloc(1, sizeof(*watch) + prefix->length);
    struct watched *watched;

    if (!watch)
        return -ENOMEM;
    watched = watched_find(watches, prefix->bucket);
    if (!watched)
        watched = watched_create(watches, prefix->bucket);
    if (!watched) {
        free(watch);
        return -ENOMEM;
    }
    watch->client = client;
    watch->header = *header;
    watch->watched = watched;
    watch->from = from;
    watch->is_behind = true;
    watch->prefix_length = prefix->length;
    if (prefix->length > 0)
        memcpy(watch->prefix, prefix->data, prefix->length);
    TAILQ_INSERT_TAIL(&watched->watches, watch, entry);
    watches->count++;
    client->watch = watch;
    set_queued(watch, true);
    return 0;
}

void watch_cancel(struct watch *watch)
{
    struct watches *watches = &watch->client->server->watches;
    struct watched *watched = watch->watched;

    set_queued(watch, false);
    TAILQ_REMOVE(&watched->watches, watch, entry);
    watches->count--;
    watch->client->watch = NULL;
    free(watch);
    if (!TAILQ_EMPTY(&watched->watches))
        return;
    table_remove(&watches->table, &watched->entry);
    free(watched);
}

/* ---- telling ---- */

static bool has_room(const struct watch *watch)
{
    return connection_unsent(&watch->client->connection) < UNSENT_MAX;
}

static bool is_for(const struct watch *watch, const struct event *event)
{
    return event->bucket == watch->watched->entry.key.bucket &&
           event->key_length >= watch->prefix_length &&
           memcmp(event->key, watch->prefix, watch->prefix_length) == 0;
}

/* Queues a frame. Returns false if that was the client's end, and so the watch's. */
static bool send_frame(struct watch *watch, const void *body, size_t length, const void *more,
                       size_t more_length)
{
    struct client *client = watch->client;
    uint8_t *place = client_answer(client, &watch->header, NULL, length + more_length);

    if (!place)
        return false;
    memcpy(place, body, length);
    if (more_length > 0)
        memcpy(place + length, more, more_length);
    client->uncommitted = 0; /* what is told is committed */
    rings_wake(client);      /* it may have been quiet, and its ring be full */
    return true;
}

static bool send_event(struct watch *watch, const struct event *event)
{
    const struct watch_event told = {
        .version = event->version, .kind = event->kind, .key_length = event->key_length};

    return send_frame(watch, &told, sizeof(told), event->key, event->key_length);
}

static bool send_gap(struct watch *watch, uint64_t version)
{
    const struct watch_event told = {.version = version, .kind = EVENT_GAP};

    return send_frame(watch, &told, sizeof(told), NULL, 0);
}

void watches_tell(struct server *server, const struct event *event)
{
    struct watches *watches = &server->watches;
    uint64_t number = watches->history.end;
    struct watched *watched = watched_find(watches, event->bucket);
    struct watch *watch, *next;

    history_add(&watches->history, event);
    for (watch = watched ? TAILQ_FIRST(&watched->watches) : NULL; watch; watch = next) {
        next = TAILQ_NEXT(watch, entry); /* with the last one the bucket goes */
        if (watch->is_behind || !is_for(watch, event))
            continue;
        if (has_room(watch)) {
            send_event(watch, event);
        } else {
            watch->is_behind = true;
            watch->next = number;
        }
    }
}

/* ---- going on ---- */

void watch_look(struct watch *watch)
{
    if (watch->is_behind && has_room(watch))
        set_queued(watch, true);
}

/* Ends the watch: there is no such bucket. */
static bool refuse(struct watch *watch, int error)
{
    const struct frame_header header = watch->header;
    uint32_t bucket = watch->watched->entry.key.bucket;
    struct client *client = watch->client;

    watch_cancel(watch);
    request_answer_failure(client, &header, error, bucket);
    if (client->dead)
        return false;
    client->uncommitted = 0;
    client_go_on(client);
    return false;
}

/* Answers the request, and tells of a gap if not all since its version is known. A version that the
 * store has not reached is another store's. Returns whether the watch goes on. */
static bool begin(struct watch *watch)
{
    struct server *server = watch->client->server;
    const struct history *history = &server->watches.history;
    struct watch_answer answer = {.version = watch->from};
    bool has_gap = watch->from < history->forgotten;
    struct store_status status;
    int r = store_check_bucket(server->store, watch->watched->entry.key.bucket);

    if (r < 0)
        return refuse(watch, r);
    store_status(server->store, &status);
    if (watch->from > status.version) {
        answer.version = status.version;
        has_gap = watch->from != WATCH_FROM_NOW;
    }
    watch->next = history_after(history, answer.version);
    watch->has_begun = true;
    if (!send_frame(watch, &answer, sizeof(answer), NULL, 0))
        return false;
    return !has_gap ||
           send_gap(watch, watch->from < history->forgotten ? history->forgotten : status.version);
}

/* Tells of what was forgotten before it could be told. */
static bool skip_forgotten(struct watch *watch, const struct history *history)
{
    if (watch->next >= history->first)
        return true;
    watch->next = history->first;
    return send_gap(watch, history->forgotten);
}

static void go_on(struct watch *watch)
{
    const struct history *history = &watch->client->server->watches.history;

    if ((!watch->has_begun && !begin(watch)) || !skip_forgotten(watch, history))
        return;
    for (unsigned share = SHARE; share > 0 && watch->next < history->end; share--) {
        const struct event *event = history_at(history, watch->next);

        if (is_for(watch, event)) {
            if (!has_room(watch)) {
                set_queued(watch, false);
                return;
            }
            if (!send_event(watch, event))
                return;
        }
        watch->next++;
    }
    if (watch->next == history->end) {
        watch->is_behind = false;
        set_queued(watch, false);
    }
}

void watches_continue(struct server *server)
{
    struct watch_queue *behind = &server->watches.behind;
    struct watch *last = TAILQ_LAST(behind, watch_queue);
    struct watch *watch;

    for (unsigned i = 0; i < AT_WORK_MAX && (watch = TAILQ_FIRST(behind)); i++) {
        bool is_last = watch == last;

        TAILQ_REMOVE(behind, watch, behind);
        TAILQ_INSERT_TAIL(behind, watch, behind);
        go_on(watch);
        if (is_last)
            return;
    }
}
