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

/* What may be done in a turn, in events that are looked at, and by one before the next has its go.
 * To tell of an event, and to begin with somebody, costs as much as looking at so many. */
#define TURN (1U << 16)
#define SHARE 4096
#define TELL_COST 16
#define BEGIN_COST 512

/* A bucket that is watched; it goes with the last who watches it. */
struct watched {
    struct table_entry entry; /* first; the name is empty */
    struct watch_queue idle;  /* have been told of all; the longest first */
    struct watch_queue full;  /* have no room */
    size_t count;             /* of those who watch it */
    bool has_news;            /* in watches.news */
    uint64_t first;           /* event of the history since then; the idle know all before it */
    TAILQ_ENTRY(watched) news;
};

struct watch {
    struct client *client;
    struct frame_header header;
    struct watched *watched;
    uint64_t from;             /* the version, until it has begun */
    uint64_t next;             /* event of the history to go on with */
    bool has_begun;            /* its request has been answered */
    struct watch_queue *queue; /* that it is in: idle, full, watches.behind */
    TAILQ_ENTRY(watch) entry;
    size_t prefix_length;
    uint8_t prefix[];
};

int watches_init(struct watches *watches, uint64_t version)
{
    int r = table_init(&watches->table);

    TAILQ_INIT(&watches->news);
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
    struct watched *watched = calloc(1, sizeof(*watched));

    if (!watched)
        return NULL;
    watched->entry.key = bucket_key(bucket);
    TAILQ_INIT(&watched->idle);
    TAILQ_INIT(&watched->full);
    if (table_add(&watches->table, &watched->entry) < 0) {
        free(watched);
        return NULL;
    }
    return watched;
}

static void move_to(struct watch *watch, struct watch_queue *queue)
{
    if (watch->queue)
        TAILQ_REMOVE(watch->queue, watch, entry);
    if (queue)
        TAILQ_INSERT_TAIL(queue, watch, entry);
    watch->queue = queue;
}

static void set_news(struct watches *watches, struct watched *watched, bool has_news)
{
    if (has_news && !watched->has_news)
        TAILQ_INSERT_TAIL(&watches->news, watched, news);
    else if (!has_news && watched->has_news)
        TAILQ_REMOVE(&watches->news, watched, news);
    watched->has_news = has_news;
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
    watch->prefix_length = prefix->length;
    if (prefix->length > 0)
        memcpy(watch->prefix, prefix->data, prefix->length);
    watched->count++;
    watches->count++;
    client->watch = watch;
    move_to(watch, &watches->behind);
    return 0;
}

void watch_cancel(struct watch *watch)
{
    struct watches *watches = &watch->client->server->watches;
    struct watched *watched = watch->watched;

    move_to(watch, NULL);
    watches->count--;
    watch->client->watch = NULL;
    free(watch);
    if (--watched->count > 0)
        return;
    set_news(watches, watched, false);
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
    if (event->bucket != watch->watched->entry.key.bucket)
        return false;
    return event->kind == EVENT_DROPPED ||
           (event->key_length >= watch->prefix_length &&
            memcmp(event->key, watch->prefix, watch->prefix_length) == 0);
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
    client_told(client);
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
    struct watched *watched = watched_find(watches, event->bucket);

    if (watched && !watched->has_news) {
        watched->first = watches->history.end;
        set_news(watches, watched, true);
    }
    history_add(&watches->history, event);
}

/* ---- going on ---- */

bool watches_are_behind(const struct watches *watches)
{
    return !TAILQ_EMPTY(&watches->behind) || !TAILQ_EMPTY(&watches->news);
}

void watch_look(struct watch *watch)
{
    if (watch->queue == &watch->watched->full && has_room(watch))
        move_to(watch, &watch->client->server->watches.behind);
}

/* Ends the watch: there is no such bucket. */
static bool refuse(struct watch *watch, int error)
{
    const struct frame_header header = watch->header;
    uint32_t bucket = watch->watched->entry.key.bucket;
    struct client *client = watch->client;

    watch_cancel(watch);
    request_answer_failure(client, &header, error, bucket);
    client_told(client);
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

/* Tells of what was forgotten before it could be told. Returns whether the watch goes on. */
static bool skip_forgotten(struct watch *watch, const struct history *history)
{
    int r;

    if (watch->next >= history->first)
        return true;
    watch->next = history->first;
    if (!send_gap(watch, history->forgotten))
        return false;
    r = store_check_bucket(watch->client->server->store, watch->watched->entry.key.bucket);
    return r == 0 || refuse(watch, r);
}

/* Goes on with one who is behind. Returns what it cost, as events that are looked at. */
static unsigned go_on(struct watch *watch)
{
    struct watches *watches = &watch->client->server->watches;
    const struct history *history = &watches->history;
    unsigned cost = BEGIN_COST;

    if ((!watch->has_begun && !begin(watch)) || !skip_forgotten(watch, history))
        return cost;
    for (; cost < SHARE && watch->next < history->end; cost++, watch->next++) {
        const struct event *event = history_at(history, watch->next);

        if (!is_for(watch, event))
            continue;
        if (!has_room(watch)) {
            move_to(watch, &watch->watched->full);
            return cost;
        }
        if (event->kind == EVENT_DROPPED) {
            refuse(watch, -ENXIO);
            return cost;
        }
        if (!send_event(watch, event))
            return cost;
        cost += TELL_COST;
    }
    move_to(watch, watch->next < history->end ? &watches->behind : &watch->watched->idle);
    return cost;
}

/* Finds one who is behind, or is so since something has happened. */
static struct watch *find_behind(struct watches *watches)
{
    struct watch *watch = TAILQ_FIRST(&watches->behind);
    struct watched *watched;

    while (!watch && (watched = TAILQ_FIRST(&watches->news))) {
        watch = TAILQ_FIRST(&watched->idle);
        if (watch && watch->next < watched->first)
            watch->next = watched->first;
        if (!watch || watch->next == watches->history.end) {
            set_news(watches, watched, false);
            watch = NULL;
        }
    }
    return watch; /* NOLINT(clang-analyzer-unix.Malloc) */
}

void watches_continue(struct server *server)
{
    struct watch *watch;
    unsigned cost = 0;

    while (cost < TURN && (watch = find_behind(&server->watches)))
        cost += go_on(watch);
}
