/*
 * Conditions: what a client expects of an object, so that a change is made, or an answer worth its
 * bytes, only if that holds. They are decided where the change is made, in its transaction.
 */
#ifndef MEMSTORED_CONDITION_H
#define MEMSTORED_CONDITION_H

#include "protocol.h"
#include "record.h"

#include <stdbool.h>
#include <stdint.h>

/* What changes may depend on, and what reads may. */
#define CONDITIONS_OF_CHANGES \
    (CONDITION_ABSENT | CONDITION_PRESENT | CONDITION_VERSION | CONDITION_ETAG)
#define CONDITIONS_OF_READS CONDITION_NOT_VERSION

struct store_condition {
    struct condition wanted; /* which was found sound */
    bool failed;
    uint64_t version; /* if it failed: of the object that is there; 0: there is none */
};

/* Whether a client's condition is one, of these kinds. -EINVAL. */
int condition_check(const struct condition *condition, uint32_t kinds);

/* Decides about the object that is there; NULL: there is none. Returns 0 if the condition holds. If
 * not: -EEXIST, -ENOENT, -ESTALE or -EALREADY, as protocol.h says. */
int condition_decide(struct store_condition *condition, const struct record *record);

#endif
