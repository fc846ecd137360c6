/*
 * Results as JSON on stdout.
 *
 * Text that is not UTF-8 has no form in JSON. A member "x" whose bytes are not UTF-8 is null, and
 * a member "x_base64" has the bytes; it is there only then. Metadata pairs of which one half is not
 * UTF-8 are not in "metadata" but in the array "metadata_base64", as {"name": …, "value": …}.
 */
#ifndef MEMSTORE_CLI_JSON_H
#define MEMSTORE_CLI_JSON_H

#include "client/memstore.h"
#include "status.h"
#include "tally.h"

/* One array, an object a line. */
enum status json_list(const struct memstore_list *list);

enum status json_object_info(const struct memstore_object *object);

/* What a command on many objects did. */
enum status json_tally(const struct tally *tally);

/* An object on a line of its own; a gap has no key. */
enum status json_event(const struct memstore_event *event);

#endif
