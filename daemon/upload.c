#include "upload.h"

#include "condition.h"
#include "etag.h"
#include "guard.h"
#include "request.h"
#include "server.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Bytes that all uploads together move in a turn, and one of them before the next has its go. */
#define SHARE (1U << 20)
#define PIECE (256U << 10)
#define PIECE_COST 4096U /* what one costs at least, however small it is */

struct upload {
    struct client *client;
    struct frame_header header;
    uint32_t window; /* bytes; 0: the value stands whole */
    struct store_key key;
    struct record attributes; /* content type, metadata, size; in the end the etag */
    struct store_terms terms;
    struct store_condition condition; /* that the terms point at, if there is one */
    struct store_upload row;          /* in the store */
    struct etag etag;
    uint64_t position; /* so many bytes are in the store */
    uint64_t filled;   /* what the client says of the window */
    bool begun;        /* memory is there, or will be with the next commit */
    bool is_queued;    /* in server->uploads; otherwise it waits for its client */
    TAILQ_ENTRY(upload) entry;
    uint8_t bytes[]; /* key, content type, metadata */
};

static void *keep(uint8_t **place, const void *data, size_t length)
{
    void *kept = *place;

    if (length > 0)
        memcpy(kept, data, length);
    *place += length;
    return kept;
}

static struct upload *upload_create(struct client *client, const struct frame_header *header,
                                    uint32_t window, const struct store_key *key,
                                    const struct record *attributes,
                                    const struct store_terms *terms)
{
    size_t type_length = attributes->type_length == NO_CONTENT_TYPE ? 0 : attributes->type_length;
    struct upload *upload =
        calloc(1, sizeof(*upload) + key->length + type_length + attributes->metadata_length);
    uint8_t *place;

    if (!upload)
        return NULL;
    place = upload->bytes;
    upload->client = client;
    upload->header = *header;
    upload->window = window;
    upload->key = *key;
    upload->key.data = keep(&place, key->data, key->length);
    upload->terms = *terms;
    if (terms->condition) {
        upload->condition = *terms->condition;
        upload->terms.condition = &upload->condition;
    }
    upload->attributes = *attributes;
    upload->attributes.type = keep(&place, attributes->type, type_length);
    upload->attributes.metadata = keep(&place, attributes->metadata, attributes->metadata_length);
    if (etag_init(&upload->etag) < 0) {
        free(upload);
        return NULL;
    }
    return upload;
}

static void upload_destroy(struct upload *upload)
{
    store_upload_cancel(upload->client->server->store, &upload->row);
    etag_finish(&upload->etag);
    free(upload);
}

static void set_queued(struct upload *upload, bool queued)
{
    struct server *server = upload->client->server;

    if (queued && !upload->is_queued)
        TAILQ_INSERT_TAIL(&server->uploads, upload, entry);
    else if (!queued && upload->is_queued)
        TAILQ_REMOVE(&server->uploads, upload, entry);
    upload->is_queued = queued;
}

/* Returns 1 if memory is still being taken. */
static int begin(struct upload *upload)
{
    int r = store_upload_begin(upload->client->server->store, &upload->key, upload->attributes.size,
                               upload->terms.condition, &upload->row);

    upload->begun = r == 0;
    return r;
}

int upload_start(struct client *client, const struct frame_header *header, uint32_t window,
                 const struct store_key *key, const struct record *attributes,
                 const struct store_terms *terms)
{
    struct upload *upload = upload_create(client, header, window, key, attributes, terms);
    int r;

    if (!upload)
        return -ENOMEM;
    r = begin(upload);
    if (r < 0) {
        if (terms->condition)
            *terms->condition = upload->condition; /* it may be why */
        upload_destroy(upload);
        return r;
    }
    client->upload = upload;
    set_queued(upload, true);
    return 0;
}

void upload_cancel(struct upload *upload)
{
    set_queued(upload, false);
    upload->client->upload = NULL;
    upload_destroy(upload);
}

bool upload_waits(const struct upload *upload)
{
    return !upload->is_queued;
}

/* ---- going on ---- */

static int read_filled(void *context)
{
    struct upload *upload = context;
    const struct ring_page *page = upload->client->connection.ring.page;

    upload->filled = atomic_load_explicit(&page->filled, memory_order_acquire);
    return 0;
}

/* How many bytes beyond the position the client has put into the window, as it says. */
static int64_t window_filled(struct upload *upload)
{
    uint64_t filled;
    int r = guard_call(read_filled, upload);

    if (r < 0)
        return r;
    if (upload->filled >> 32 != (uint32_t)upload->header.id)
        return 0; /* of an earlier request: it has not begun */
    filled = (uint32_t)upload->filled;
    if (filled < upload->position || filled - upload->position > upload->window ||
        filled > upload->attributes.size)
        return -EPROTO;
    return (int64_t)(filled - upload->position);
}

static int write_drained(void *context)
{
    const struct upload *upload = context;
    struct ring_page *page = upload->client->connection.ring.page;

    atomic_store_explicit(&page->drained, RING_PROGRESS(upload->header.id, upload->position),
                          memory_order_release);
    return 0;
}

/* Tells the client that it may fill again what has been taken. */
static int free_window(struct upload *upload)
{
    int r = guard_call(write_drained, upload);

    upload->client->ring_used = upload->client->server->turn_started;
    return r < 0 ? r : client_tell(upload->client);
}

bool upload_look(struct upload *upload)
{
    if (upload->is_queued || window_filled(upload) == 0)
        return false;
    set_queued(upload, true);
    upload->client->progress = true;
    return true;
}

/* The next bytes of the value, as far as they are there, in one piece: in the client's memory,
 * which may change. Returns how many; 0: the client has to do something first. */
static int64_t next_bytes(struct upload *upload, uint8_t **ret_bytes)
{
    int64_t length = (int64_t)(upload->attributes.size - upload->position);
    uint64_t offset = upload->position;
    int r;

    if (upload->window > 0) {
        length = window_filled(upload);
        offset %= upload->window;
        if (length > (int64_t)(upload->window - offset))
            length = (int64_t)(upload->window - offset);
    }
    if (length <= 0)
        return length;
    r = bulk_part(&upload->client->bulk, upload->header.bulk_offset + offset, (uint64_t)length,
                  ret_bytes);
    return r < 0 ? -EFAULT : length;
}

/* Copies what is there, up to a piece. Returns how much. */
static int64_t copy_piece(struct upload *upload)
{
    uint8_t *from, *place;
    int64_t length = next_bytes(upload, &from);
    int r;

    if (length <= 0)
        return length;
    if (length > PIECE)
        length = PIECE;
    r = store_upload_place(upload->client->server->store, &upload->row, &place);
    if (r == 0)
        r = etag_add(&upload->etag, place + upload->position, from, (size_t)length);
    if (r < 0)
        return r;
    upload->position += (uint64_t)length;
    r = upload->window > 0 ? free_window(upload) : 0;
    return r < 0 ? r : length;
}

static int finish(struct upload *upload)
{
    struct client *client = upload->client;
    struct record record;
    int r;

    etag_read(&upload->etag, upload->attributes.etag);
    r = store_upload_finish(client->server->store, &upload->row, &upload->key, &upload->attributes,
                            &upload->terms, &record);
    if (r == 0)
        request_answer_info(client, &upload->header, &record);
    return r;
}

/* Goes on. Returns 1 if it is finished and answered, 0 if there is more to do, or what is wrong or
 * asked for. Adds to *cost what it took, in bytes. */
static int advance(struct upload *upload, uint64_t *cost)
{
    int64_t length;
    int r;

    if (!upload->begun) {
        r = begin(upload);
        *cost += r > 0 ? SHARE : 0;
        return r < 0 ? r : 0;
    }
    if (upload->position < upload->attributes.size) {
        length = copy_piece(upload);
        if (length < 0)
            return (int)length;
        set_queued(upload, length > 0);
        *cost += length > PIECE_COST ? (uint64_t)length : PIECE_COST;
        if (upload->position < upload->attributes.size)
            return 0;
    }
    r = finish(upload);
    return r < 0 ? r : 1;
}

/* As request_answer_failure. */
static int answer_failure(struct upload *upload, int error)
{
    struct client *client = upload->client;

    if (!upload->terms.condition || !upload->condition.failed)
        return request_answer_failure(client, &upload->header, error, upload->key.bucket);
    request_answer_conflict(client, &upload->header, &upload->condition, error);
    return 0;
}

/* As advance, and does what it asks for. Also what is wrong is answered then. */
static int advance_or_answer(struct upload *upload, uint64_t *cost)
{
    struct client *client = upload->client;
    int r;

    for (int i = 0;; i++) {
        r = advance(upload, cost);
        if (r >= 0)
            return r;
        r = answer_failure(upload, r);
        if (r == 0)
            return 1;
        if (r == -EINPROGRESS) {
            *cost += SHARE; /* in the next turn there may be room */
            return 0;
        }
        if (i == WISHES_MAX || !client_prepare(client, r))
            return r;
    }
}

/* One upload has its go. Its client may be closed on the way, and the upload be gone. */
static void upload_continue(struct upload *upload, uint64_t *cost)
{
    struct client *client = upload->client;
    struct server *server = client->server;
    int r;

    if (upload->begun && !store_upload_is_settled(&upload->row))
        server_commit(server);
    r = client->dead ? 0 : advance_or_answer(upload, cost);
    server->collected = false;
    if (r < 0 && !client->dead) {
        client_answer_error(client, &upload->header, r, "%s", strerror(-r));
        client->closing = true;
    }
    if (client->dead)
        return;
    if (r != 0) {
        client->short_since = 0;
        client->shortages = 0;
        upload_cancel(upload);
        client_go_on(client);
    } else if (upload_waits(upload)) {
        client_flush(client); /* it is waited for */
    }
}

void uploads_continue(struct server *server)
{
    struct upload *upload;
    uint64_t cost = 0;

    while (cost < SHARE && (upload = TAILQ_FIRST(&server->uploads))) {
        TAILQ_REMOVE(&server->uploads, upload, entry);
        TAILQ_INSERT_TAIL(&server->uploads, upload, entry);
        upload_continue(upload, &cost);
    }
}
