/* What a command on many objects did, and how it ends. */
#ifndef MEMSTORE_CLI_TALLY_H
#define MEMSTORE_CLI_TALLY_H

#include "progress.h"
#include "status.h"

#include <stdbool.h>
#include <stdint.h>

struct tally {
    uint64_t objects; /* put, got or removed */
    uint64_t bytes;   /* of their values */
    uint64_t skipped; /* no files */
    uint64_t failed;
    enum status worst;
    struct progress progress;
};

/* One more is done. */
void tally_done(struct tally *tally, uint64_t bytes);

/* The same, or one failed, of which everything has been said and shown. */
void tally_count(struct tally *tally, enum status status, uint64_t bytes);

/* Complains: one was passed over, which is no failure; one failed. */
void tally_skip(struct tally *tally, const char *format, ...) __attribute__((format(printf, 2, 3)));
void tally_fail(struct tally *tally, enum status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Complains of what is not one object's trouble. */
void tally_stop(struct tally *tally, enum status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Ends the bar, says in JSON what was done if that is wanted, and returns the status. */
enum status tally_finish(struct tally *tally, bool is_json);

#endif
