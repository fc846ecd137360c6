/* The table of buckets in top: which columns there are room for, and what stands in them. */
#ifndef MEMSTORE_CLI_TOP_TABLE_H
#define MEMSTORE_CLI_TOP_TABLE_H

#include "picture.h"

#define TABLE_COLUMNS 10

struct table {
    int name_width;
    bool shown[TABLE_COLUMNS];
};

/* Chooses the columns for a width: where there is not room for all, the less important go. */
void table_init(struct table *table, int width);

/* The width at which there is room for all columns, and for names of this length. */
int table_full_width(int name_length);

/* Write the headings, and a row; `text` is of `size` bytes. */
void table_heading(const struct table *table, char *text, size_t size);
void table_row(const struct table *table, const struct bucket_row *row, bool has_rates, char *text,
               size_t size);

#endif
