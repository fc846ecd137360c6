/* What all results in JSON are made of. Not 0, NULL and false: out of memory. */
#ifndef MEMSTORE_CLI_JSON_PARTS_H
#define MEMSTORE_CLI_JSON_PARTS_H

#include "status.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Complains that there is no memory; returns the status. */
enum status json_no_memory(void);

json_t *json_base64(const void *bytes, size_t length);

/* Sets member `name`, or null and `base64_name` in its place. */
int json_set_text(json_t *object, const char *name, const char *base64_name, const char *bytes,
                  size_t length);

int json_set_number(json_t *object, const char *name, uint64_t number);

/* A number, or null for UINT64_MAX, which is no limit. */
int json_set_limit(json_t *object, const char *name, uint64_t limit);

/* A moment in words and in microseconds. */
int json_set_moment(json_t *object, const char *name, const char *number_name, int64_t moment);

/* Writes a value to stdout and ends it. What stdout refuses shows when it is closed. */
bool json_write(json_t *value, size_t flags);

#endif
