/* Numbers of which few come often: the Zipf distribution. */
#ifndef BENCH_ZIPF_H
#define BENCH_ZIPF_H

#include <stdint.h>

struct zipf {
    uint64_t count; /* of numbers: 0 .. count - 1 */
    double sum;     /* of the weights of all numbers, the first one's being 1 */
    double two;     /* of the first two */
    double power, stretch;
};

/* The exponent is above 0 and below 1. */
void zipf_init(struct zipf *zipf, uint64_t count, double exponent);

/* How often a number comes falls with it: 0 is the most frequent one. `uniform` is at random from
 * 0 to below 1. */
uint64_t zipf_number(const struct zipf *zipf, double uniform);

/* Spreads numbers over 0 .. count - 1, so that neighbours lie far apart. */
uint64_t zipf_scramble(uint64_t number, uint64_t count);

#endif
