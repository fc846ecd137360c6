/*
 * The method is that of J. Gray, P. Sundaresan, S. Englert, K. Baclawski and P. Weinberger,
 * "Quickly generating billion-record synthetic databases", SIGMOD 1994, with which YCSB draws its
 * keys (B. Cooper and others, "Benchmarking cloud serving systems with YCSB", SoCC 2010): the
 * distribution's sum is computed once, the two most frequent numbers are told by it, and the others
 * follow a power of what is at random. As in YCSB, a hash (FNV-1a of 64 bits) then scatters the
 * frequent ones.
 */
#include "bench/zipf.h"

#include <math.h>

/* The sum of 1 / i ^ exponent for i from 1 to count. */
static double zeta(uint64_t count, double exponent)
{
    double sum = 0;

    for (uint64_t i = 1; i <= count; i++)
        sum += pow((double)i, -exponent);
    return sum;
}

void zipf_init(struct zipf *zipf, uint64_t count, double exponent)
{
    double all = zeta(count, exponent), two = zeta(2, exponent);

    zipf->count = count;
    zipf->sum = all;
    zipf->two = two;
    zipf->power = 1 / (1 - exponent);
    zipf->stretch = (1 - pow(2 / (double)count, 1 - exponent)) / (1 - two / all);
}

uint64_t zipf_number(const struct zipf *zipf, double uniform)
{
    double place = uniform * zipf->sum;
    uint64_t number;

    if (place < 1)
        return 0;
    if (place < zipf->two)
        return 1;
    number = (uint64_t)((double)zipf->count * pow(zipf->stretch * (uniform - 1) + 1, zipf->power));
    return number < zipf->count ? number : zipf->count - 1;
}

uint64_t zipf_scramble(uint64_t number, uint64_t count)
{
    uint64_t hash = 0xcbf29ce484222325ULL;

    for (unsigned i = 0; i < sizeof(number); i++) {
        hash ^= number >> (8 * i) & 0xff;
        hash *= 0x100000001b3ULL;
    }
    return hash % count;
}
