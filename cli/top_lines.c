#include "top_lines.h"

#include "common/size.h"
#include "quantity.h"
#include "text.h"
#include "top_table.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KEYS "q quit   s by size   r by rate   n by name   arrows, page up and down: scroll"

/* Lines on their way out. */
struct writer {
    line_emit *emit;
    void *context;
    int width;
    int left; /* lines that there is room for */
};

/* Ends a text behind so many bytes, and not within a character. */
static void cut(char *text, size_t length)
{
    if (strlen(text) <= length)
        return;
    while (length > 0 && ((unsigned char)text[length] & 0xc0) == 0x80)
        length--;
    text[length] = '\0';
}

__attribute__((format(printf, 3, 4))) static void
write_line(struct writer *writer, enum line_style style, const char *format, ...)
{
    char text[LINES_WIDTH_MAX + 1];
    va_list arguments;

    if (writer->left <= 0)
        return;
    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    cut(text, (size_t)writer->width);
    writer->emit(writer->context, style, text);
    writer->left--;
}

/* ---- the store as a whole ---- */

static const char *limit_text(char text[SIZE_TEXT_MAX], uint64_t limit)
{
    return limit == UINT64_MAX ? "no limit" : size_format(text, limit);
}

static const char *rate_text(char text[QUANTITY_TEXT_MAX], const struct picture *picture,
                             double rate)
{
    return picture->has_rates ? quantity_format(text, rate) : "-";
}

static void write_sizes(struct writer *writer, const struct memstore_stats *stats)
{
    char used[SIZE_TEXT_MAX], max_size[SIZE_TEXT_MAX], memory[SIZE_TEXT_MAX];
    char max_memory[SIZE_TEXT_MAX], objects[QUANTITY_TEXT_MAX];

    write_line(writer, LINE_PLAIN, "values %s of %s in %s objects   memory %s of %s",
               size_format(used, stats->used), limit_text(max_size, stats->max_size),
               quantity_format(objects, (double)stats->objects), size_format(memory, stats->memory),
               limit_text(max_memory, stats->max_memory));
}

static void write_clients(struct writer *writer, const struct picture *picture)
{
    const struct memstore_stats *stats = &picture->sample->stats;
    char requests[QUANTITY_TEXT_MAX], commits[QUANTITY_TEXT_MAX];

    write_line(writer, LINE_PLAIN,
               "clients %" PRIu64 " (%" PRIu64 " direct)   requests/s %s   commits/s %s   refused "
               "%" PRIu64,
               stats->clients, stats->readers, rate_text(requests, picture, picture->requests),
               rate_text(commits, picture, picture->commits), stats->refused);
}

static void write_pins(struct writer *writer, const struct memstore_stats *stats)
{
    char pinned[SIZE_TEXT_MAX], garbage[SIZE_TEXT_MAX];

    write_line(writer, LINE_PLAIN,
               "waiting %" PRIu64 "   watching %" PRIu64 "   locks %" PRIu64 "   views %" PRIu64
               " pin %s   garbage %s",
               stats->waiting, stats->watching, stats->locks, stats->views,
               size_format(pinned, stats->pinned), size_format(garbage, stats->garbage));
}

static void write_title(struct writer *writer, const struct picture *picture,
                        const struct top_view *view)
{
    uint64_t seconds = picture->sample->stats.uptime / 1000000;

    if (view->problem) {
        write_line(writer, LINE_ALARM, "%s", view->problem);
        return;
    }
    write_line(writer, LINE_TITLE,
               "memstored %" PRIu64 ", up %" PRIu64 "d %02" PRIu64 ":%02" PRIu64 ":%02" PRIu64
               ", %" PRIu64 " %s",
               picture->sample->stats.pid, seconds / 86400, seconds / 3600 % 24, seconds / 60 % 60,
               seconds % 60, picture->sample->stats.buckets,
               picture->sample->stats.buckets == 1 ? "bucket" : "buckets");
}

/* ---- tables ---- */

static void write_buckets(struct writer *writer, const struct picture *picture, size_t first,
                          size_t count)
{
    char text[LINES_WIDTH_MAX + 1];
    struct table table;

    table_init(&table, writer->width);
    table_heading(&table, text, sizeof(text));
    write_line(writer, LINE_HEADING, "%s", text);
    for (size_t i = first; i < first + count; i++) {
        table_row(&table, &picture->rows[i], picture->has_rates, text, sizeof(text));
        write_line(writer, LINE_PLAIN, "%s", text);
    }
}

static void write_holder(struct writer *writer, const struct memstore_holder *holder)
{
    char *name = text_escape(holder->name, strnlen(holder->name, sizeof(holder->name)), TEXT_EXACT);
    char pinned[SIZE_TEXT_MAX];

    write_line(writer, LINE_PLAIN, "%8" PRIu32 " %8" PRIu32 " %8" PRIu64 " %9s %9.3f s  %s",
               holder->pid, holder->uid, holder->views, size_format(pinned, holder->pinned),
               (double)holder->oldest / 1e6, name ? name : "");
    free(name);
}

static void write_holders(struct writer *writer, const struct sample *sample, size_t count)
{
    if (count == 0)
        return;
    write_line(writer, LINE_PLAIN, "%s", "");
    write_line(writer, LINE_HEADING, "%8s %8s %8s %9s %11s  %s", "HOLDER", "USER", "VIEWS",
               "PINNED", "OLDEST READ", "PROGRAM");
    for (size_t i = 0; i < count; i++)
        write_holder(writer, &sample->holders[i]);
}

/* ---- what there is room for ---- */

#define LINES_ABOVE 5   /* of the store as a whole, and an empty one */
#define LINES_HOLDERS 2 /* that a table of holders has besides them */

/* How many holders and buckets are shown. */
struct room {
    size_t holders;
    size_t buckets;
};

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Buckets come first: at most a third is for holders, unless there are few buckets. */
static struct room room_find(const struct picture *picture, int height)
{
    const size_t holders = picture->sample->holder_count;
    const size_t above = LINES_ABOVE + 1; /* and the heading */
    size_t lines, left;
    struct room room;

    if (height == 0)
        return (struct room){holders, picture->row_count};
    lines = (size_t)height > above + 1 ? (size_t)height - above - 1 : 0; /* and the keys */
    left = lines - smaller(lines, picture->row_count);
    if (left < lines / 3)
        left = lines / 3;
    room.holders = left > LINES_HOLDERS ? smaller(holders, left - LINES_HOLDERS) : 0;
    if (room.holders > 0)
        lines -= room.holders + LINES_HOLDERS;
    room.buckets = smaller(lines, picture->row_count);
    return room;
}

/* The keys stand on the last line. */
static void write_keys(struct writer *writer)
{
    while (writer->left > 1)
        write_line(writer, LINE_PLAIN, "%s", "");
    write_line(writer, LINE_TITLE, "%s", KEYS);
}

int lines_full_width(const struct picture *picture)
{
    size_t longest = 0;

    for (size_t i = 0; i < picture->row_count; i++) {
        size_t length = strlen(picture->rows[i].info->name);

        longest = length > longest ? length : longest;
    }
    return table_full_width((int)longest);
}

void lines_emit(const struct picture *picture, struct top_view *view, line_emit *emit,
                void *context)
{
    struct writer writer = {
        .emit = emit,
        .context = context,
        .width = view->width < LINES_WIDTH_MAX ? view->width : LINES_WIDTH_MAX,
        .left = view->height == 0 ? INT32_MAX : view->height,
    };
    struct room room = room_find(picture, view->height);

    view->scroll = smaller(view->scroll, picture->row_count - room.buckets);
    write_title(&writer, picture, view);
    write_sizes(&writer, &picture->sample->stats);
    write_clients(&writer, picture);
    write_pins(&writer, &picture->sample->stats);
    write_line(&writer, LINE_PLAIN, "%s", "");
    write_buckets(&writer, picture, view->scroll, room.buckets);
    write_holders(&writer, picture->sample, room.holders);
    if (view->height > 0)
        write_keys(&writer);
}
