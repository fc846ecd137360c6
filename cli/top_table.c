#include "top_table.h"

#include "bucket_show.h"
#include "common/size.h"
#include "quantity.h"

#include <stdio.h>
#include <string.h>

#define NAME_LEAST 12 /* characters of the names' column */
#define NAME_MOST 64
#define CELL_MAX 32

static void used(char text[CELL_MAX], const struct bucket_row *row)
{
    size_format(text, row->info->used);
}

static void max_size(char text[CELL_MAX], const struct bucket_row *row)
{
    if (row->info->max_size == UINT64_MAX)
        strcpy(text, "-");
    else
        size_format(text, row->info->max_size);
}

static void objects(char text[CELL_MAX], const struct bucket_row *row)
{
    quantity_format(text, (double)row->info->objects);
}

static void max_objects(char text[CELL_MAX], const struct bucket_row *row)
{
    if (row->info->max_objects == UINT64_MAX)
        strcpy(text, "-");
    else
        quantity_format(text, (double)row->info->max_objects);
}

static void policy(char text[CELL_MAX], const struct bucket_row *row)
{
    strcpy(text, bucket_policy_name(row->info->policy));
}

static void puts_rate(char text[CELL_MAX], const struct bucket_row *row)
{
    quantity_format(text, row->puts);
}

static void hits_rate(char text[CELL_MAX], const struct bucket_row *row)
{
    quantity_format(text, row->hits);
}

static void misses_rate(char text[CELL_MAX], const struct bucket_row *row)
{
    quantity_format(text, row->misses);
}

static void hit_rate(char text[CELL_MAX], const struct bucket_row *row)
{
    double part = bucket_row_hit_rate(row);

    if (part < 0)
        strcpy(text, "-");
    else
        snprintf(text, CELL_MAX, "%.1f", 100 * part);
}

static void evicted_rate(char text[CELL_MAX], const struct bucket_row *row)
{
    quantity_format(text, row->evicted);
}

/* In the order in which they stand. */
static const struct column {
    const char *heading;
    int width;
    int rank;     /* 0 is the most important */
    bool is_rate; /* which not every picture has */
    void (*format)(char text[CELL_MAX], const struct bucket_row *row);
} columns[TABLE_COLUMNS] = {
    {"USED", 9, 0, false, used},       {"MAX SIZE", 9, 5, false, max_size},
    {"OBJECTS", 8, 1, false, objects}, {"MAX OBJ", 8, 9, false, max_objects},
    {"POLICY", 6, 8, false, policy},   {"PUT/S", 7, 2, true, puts_rate},
    {"HIT/S", 7, 3, true, hits_rate},  {"MISS/S", 7, 6, true, misses_rate},
    {"HIT %", 6, 4, true, hit_rate},   {"EVICT/S", 7, 7, true, evicted_rate},
};

void table_init(struct table *table, int width)
{
    int left = width - NAME_LEAST;

    *table = (struct table){0};
    for (int rank = 0; rank < TABLE_COLUMNS; rank++) {
        for (int i = 0; i < TABLE_COLUMNS; i++) {
            if (columns[i].rank != rank || columns[i].width + 1 > left)
                continue;
            table->shown[i] = true;
            left -= columns[i].width + 1;
        }
    }
    table->name_width = NAME_LEAST + (left > 0 ? left : 0);
    if (table->name_width > NAME_MOST)
        table->name_width = NAME_MOST;
}

int table_full_width(int name_length)
{
    int width = name_length > NAME_LEAST ? name_length : NAME_LEAST;

    for (int i = 0; i < TABLE_COLUMNS; i++)
        width += 1 + columns[i].width;
    return width;
}

/* Appends a cell, of the right width. */
static size_t add(char *text, size_t size, size_t length, int width, const char *cell)
{
    if (length < size)
        length += (size_t)snprintf(text + length, size - length, " %*s", width, cell);
    return length;
}

void table_heading(const struct table *table, char *text, size_t size)
{
    size_t length = (size_t)snprintf(text, size, "%-*s", table->name_width, "BUCKET");

    for (int i = 0; i < TABLE_COLUMNS; i++) {
        if (table->shown[i])
            length = add(text, size, length, columns[i].width, columns[i].heading);
    }
}

void table_row(const struct table *table, const struct bucket_row *row, bool has_rates, char *text,
               size_t size)
{
    size_t length = (size_t)snprintf(text, size, "%-*.*s", table->name_width, table->name_width,
                                     row->info->name);

    for (int i = 0; i < TABLE_COLUMNS; i++) {
        char cell[CELL_MAX] = "-";

        if (!table->shown[i])
            continue;
        if (has_rates || !columns[i].is_rate)
            columns[i].format(cell, row);
        length = add(text, size, length, columns[i].width, cell);
    }
}
