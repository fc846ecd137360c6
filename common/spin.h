/*
 * Whether to look for something again and again for a while (to spin) before sleeping. That pays
 * where it comes soon; where it does not, or where others need the core, who sleeps is served
 * sooner: the scheduler lets those go first who are woken, and last who have used their share. So
 * spinning in vain, and far more the loss of the core meanwhile, leave it out for the next times.
 */
#ifndef MEMSTORE_SPIN_H
#define MEMSTORE_SPIN_H

#include <stdbool.h>
#include <stdint.h>

#define SPIN_VAIN_MAX 6U  /* in vain: left out up to 63 times */
#define SPIN_LOST_STEP 6U /* the core was lost */
#define SPIN_LOST_MAX 12U

/* Time between two looks from which on somebody else had the core, nanoseconds. */
#define SPIN_LOST 200000

struct spin {
    unsigned level; /* how bad it has been; left out for 2^level - 1 times */
    unsigned skip;  /* times still to be left out */
};

/* Whether to spin this time. */
static inline bool spin_wanted(struct spin *spin)
{
    if (spin->skip == 0)
        return true;
    spin->skip--;
    return false;
}

/* How it went. */
static inline void spin_found(struct spin *spin)
{
    spin->level /= 2;
}

static inline void spin_vain(struct spin *spin)
{
    if (spin->level < SPIN_VAIN_MAX)
        spin->level++;
    spin->skip = (1U << spin->level) - 1;
}

static inline void spin_lost(struct spin *spin)
{
    spin->level += SPIN_LOST_STEP;
    if (spin->level > SPIN_LOST_MAX)
        spin->level = SPIN_LOST_MAX;
    spin->skip = (1U << spin->level) - 1;
}

#endif
