/* Buckets as text and as JSON on stdout. */
#ifndef MEMSTORE_CLI_BUCKET_SHOW_H
#define MEMSTORE_CLI_BUCKET_SHOW_H

#include "client/memstore.h"
#include "status.h"

#include <jansson.h>

/* Their names, a line each. */
void bucket_print_list(const struct memstore_bucket_info *buckets, size_t count);

/* What is in them and their settings: a table for people on a terminal, elsewhere tabs and exact
 * numbers. */
void bucket_print_long_list(const struct memstore_bucket_info *buckets, size_t count);

/* One of them, as "name: value" lines. */
void bucket_print(const struct memstore_bucket_info *bucket);

/* One of them as a JSON value; NULL: out of memory. */
json_t *bucket_json_value(const struct memstore_bucket_info *bucket);

/* One of them; an array, a bucket a line. */
enum status bucket_json(const struct memstore_bucket_info *bucket);
enum status bucket_json_list(const struct memstore_bucket_info *buckets, size_t count);

/* A policy in a word. */
const char *bucket_policy_name(enum memstore_policy policy);

#endif
