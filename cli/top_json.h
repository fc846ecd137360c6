/* What top shows, as JSON on stdout. */
#ifndef MEMSTORE_CLI_TOP_JSON_H
#define MEMSTORE_CLI_TOP_JSON_H

#include "picture.h"
#include "status.h"

enum status top_json(const struct picture *picture);

#endif
