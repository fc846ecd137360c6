#include "listing.h"

#include "entry.h"
#include "guard.h"
#include "request.h"
#include "server.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Objects visited in one turn by each of the listings at work; more of them wait. */
#define SHARE 1024
#define AT_WORK_MAX 16

struct listing {
    struct client *client;
    struct frame_header header;
    struct store_scan *scan; /* NULL: not begun */
    struct store_key prefix;
    struct store_key after;
    bool has_after;
    bool in_bulk;
    bool unwritable; /* pages of the bulk buffer are not to be had */
    uint8_t *place;  /* where entries go: the bulk buffer, or memory of our own */
    uint64_t room;   /* bytes there */
    uint64_t needed; /* bytes of all entries so far; beyond the room they are only counted */
    uint64_t count;
    uint64_t left; /* of the limit */
    uint8_t prefix_bytes[KEY_MAX];
    uint8_t after_bytes[KEY_MAX];
    TAILQ_ENTRY(listing) entry;
};

static void keep_key(struct store_key *key, uint8_t *bytes, const struct store_key *from)
{
    if (from->length > 0)
        memcpy(bytes, from->data, from->length);
    *key = (struct store_key){.bucket = from->bucket, .data = bytes, .length = from->length};
}

int listing_start(struct client *client, const struct listing_request *request)
{
    struct listing *listing = calloc(1, sizeof(*listing));

    if (!listing)
        return -ENOMEM;
    listing->client = client;
    listing->header = *request->header;
    listing->left = request->limit;
    listing->in_bulk = request->room != NULL;
    listing->place = request->room;
    listing->room = request->header->bulk_length;
    if (!listing->in_bulk) {
        listing->room = BODY_MAX - sizeof(struct list_answer);
        listing->place = malloc(listing->room);
        if (!listing->place) {
            free(listing);
            return -ENOMEM;
        }
    }
    keep_key(&listing->prefix, listing->prefix_bytes, &request->prefix);
    listing->has_after = request->after != NULL;
    if (request->after)
        keep_key(&listing->after, listing->after_bytes, request->after);
    client->listing = listing;
    TAILQ_INSERT_TAIL(&client->server->listings, listing, entry);
    return 0;
}

void listing_cancel(struct listing *listing)
{
    TAILQ_REMOVE(&listing->client->server->listings, listing, entry);
    listing->client->listing = NULL;
    store_scan_close(listing->scan);
    if (!listing->in_bulk)
        free(listing->place);
    free(listing);
}

static void add_entry(struct listing *listing, const uint8_t *key, size_t key_length,
                      const struct record *record)
{
    static uint8_t entry[sizeof(struct object_info) + KEY_MAX + RECORD_MAX];
    uint64_t length = entry_length(record, key_length);

    if (listing->needed + length <= listing->room) {
        entry_write(entry, record, key, key_length);
        if (guard_copy(listing->place + listing->needed, entry, length) < 0)
            listing->unwritable = true;
    }
    listing->needed += length;
    listing->count++;
    listing->left--;
}

static void answer(struct listing *listing)
{
    struct client *client = listing->client;
    struct list_answer answer = {.count = listing->count};
    struct frame_header extra = {0};
    bool fits = listing->needed <= listing->room;
    uint8_t *body;

    if (!fits && listing->needed > BULK_LENGTH_MAX) {
        client_answer_error(client, &listing->header, -EFBIG,
                            "the list is %llu bytes long; at most %llu can be had at once: set a "
                            "limit and go on after the last key",
                            (unsigned long long)listing->needed,
                            (unsigned long long)BULK_LENGTH_MAX);
        return;
    }
    if (!fits) {
        extra =
            (struct frame_header){.status = -EMSGSIZE, .bulk_length = (uint32_t)listing->needed};
        client_answer(client, &listing->header, &extra, 0);
        return;
    }
    if (listing->in_bulk)
        extra = (struct frame_header){.flags = FRAME_BULK,
                                      .bulk_offset = listing->header.bulk_offset,
                                      .bulk_length = (uint32_t)listing->needed};
    body = client_answer(client, &listing->header, &extra,
                         sizeof(answer) + (listing->in_bulk ? 0 : listing->needed));
    if (!body)
        return;
    memcpy(body, &answer, sizeof(answer));
    if (!listing->in_bulk && listing->needed > 0)
        memcpy(body + sizeof(answer), listing->place, listing->needed);
}

/* Returns 1 when there is more to do, 0 at the end, or a negative errno. */
static int listing_step(struct listing *listing, unsigned share)
{
    struct store *store = listing->client->server->store;
    struct record record;
    const uint8_t *key;
    size_t length;
    int r = 1;

    if (!listing->scan)
        r = store_scan_open(store, &listing->prefix, listing->has_after ? &listing->after : NULL,
                            &listing->scan);
    if (r < 0)
        return r;
    for (r = 1; r > 0 && share > 0; share--) {
        if (listing->left == 0)
            return 0;
        r = store_scan_next(listing->scan, &key, &length, &record);
        if (r == 1)
            add_entry(listing, key, length, &record);
    }
    return r;
}

static void listing_continue(struct listing *listing, unsigned share)
{
    struct client *client = listing->client;
    int r = listing_step(listing, share);

    if (r > 0)
        return;
    if (r == -ENXIO)
        request_answer_no_bucket(client, &listing->header, listing->prefix.bucket);
    else if (r < 0)
        client_answer_error(client, &listing->header, r, "the list cannot be made: %s",
                            strerror(-r));
    else if (listing->unwritable)
        client_answer_error(client, &listing->header, -EFAULT,
                            "there is no memory for the pages of the bulk buffer");
    else
        answer(listing);
    if (r == -EUCLEAN)
        client->server->failure = r;
    if (client->dead)
        return;              /* and its listing is cancelled */
    client->uncommitted = 0; /* what a scan sees is committed */
    if (client->bulk.fd >= 0)
        bulk_forget(&client->bulk, listing->header.bulk_offset, listing->header.bulk_length);
    listing_cancel(listing);
    client_go_on(client);
}

static void continue_with(struct server *server, unsigned share)
{
    struct listing *listing = TAILQ_FIRST(&server->listings);
    unsigned at_work = 0;

    while (listing && at_work++ < AT_WORK_MAX) {
        struct listing *next = TAILQ_NEXT(listing, entry);

        listing_continue(listing, share);
        listing = next;
    }
}

void listings_continue(struct server *server)
{
    continue_with(server, SHARE);
}

void listings_finish(struct server *server)
{
    while (store_scans(server->store) > 0)
        continue_with(server, UINT32_MAX);
}
