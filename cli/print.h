/* Results as text on stdout. Write errors show when stdout is closed. */
#ifndef MEMSTORE_CLI_PRINT_H
#define MEMSTORE_CLI_PRINT_H

#include "client/memstore.h"
#include "status.h"

#include <stdbool.h>

/* Whether stdout is a terminal: then numbers are rounded, columns aligned, and keys escaped. */
bool print_is_for_people(void);

/* A line of a report: a size as people read it and the exact bytes; a number. UINT64_MAX is no
 * limit. */
void print_size_line(const char *name, uint64_t size);
void print_count_line(const char *name, uint64_t count);

/* The bytes and an end; escaped when stdout is a terminal and the end is not NUL. */
enum status print_bytes(const void *bytes, size_t length, char end);

/* The keys of a list, each ended by a newline or NUL. */
enum status print_list(const struct memstore_list *list, bool ends_with_nul);

/* The same in columns: aligned and for people on a terminal, elsewhere tabs and exact numbers. */
enum status print_long_list(const struct memstore_list *list, bool ends_with_nul);

/* An object as "name: value" lines. */
enum status print_object(const struct memstore_object *object);

/* Sizes as people read them, and the exact bytes. */
enum status print_stats(const struct memstore_stats *stats);

/* Version, kind and key, with tabs between. */
enum status print_event(const struct memstore_event *event);

/* What kind of event it is, in a word. */
const char *print_event_kind(const struct memstore_event *event);

/* A table, or tabs and exact numbers where stdout is no terminal. */
enum status print_holders(const struct memstore_holder *holders, size_t count);

#endif
