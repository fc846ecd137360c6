#include "history.h"

#include "events.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

int history_init(struct history *history, uint64_t version)
{
    *history = (struct history){.forgotten = version};
    history->bytes = malloc(HISTORY_BYTES);
    history->places = malloc(HISTORY_COUNT * sizeof(*history->places));
    if (history->bytes && history->places)
        return 0;
    history_finish(history);
    return -ENOMEM;
}

void history_finish(struct history *history)
{
    free(history->bytes);
    free(history->places);
    *history = (struct history){0};
}

static size_t place_of(const struct history *history, uint64_t number)
{
    return history->places[number % HISTORY_COUNT];
}

const struct event *history_at(const struct history *history, uint64_t number)
{
    return (const struct event *)(const void *)(history->bytes + place_of(history, number));
}

static bool is_empty(const struct history *history)
{
    return history->first == history->end;
}

static void forget_first(struct history *history)
{
    history->forgotten = history_at(history, history->first)->version;
    history->first++;
}

/* Whether so many bytes from `at` on are free, or, near the end of the memory, from its start on:
 * then that is where the next one goes. */
static bool has_room(struct history *history, size_t size)
{
    size_t oldest;

    if (is_empty(history)) {
        history->at = 0;
        return true;
    }
    oldest = place_of(history, history->first);
    if (history->at <= oldest)
        return oldest - history->at >= size;
    if (HISTORY_BYTES - history->at >= size)
        return true;
    if (oldest < size)
        return false;
    history->at = 0;
    return true;
}

void history_add(struct history *history, const struct event *event)
{
    size_t size = event_size(event);

    while (history->end - history->first == HISTORY_COUNT || !has_room(history, size))
        forget_first(history);
    memcpy(history->bytes + history->at, event, sizeof(*event) + event->key_length);
    history->places[history->end % HISTORY_COUNT] = (uint32_t)history->at;
    history->at += size;
    history->end++;
}

uint64_t history_after(const struct history *history, uint64_t version)
{
    uint64_t low = history->first, high = history->end;

    while (low < high) {
        uint64_t middle = low + (high - low) / 2;

        if (history_at(history, middle)->version > version)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}
