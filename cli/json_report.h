/* What the whole store is about, as JSON on stdout; see json.h. */
#ifndef MEMSTORE_CLI_JSON_REPORT_H
#define MEMSTORE_CLI_JSON_REPORT_H

#include "client/memstore.h"
#include "status.h"

#include <jansson.h>

/* NULL: out of memory. */
json_t *json_stats_value(const struct memstore_stats *stats);
json_t *json_holder_value(const struct memstore_holder *holder);

enum status json_stats(const struct memstore_stats *stats);

/* One array, a holder a line. */
enum status json_holders(const struct memstore_holder *holders, size_t count);

#endif
