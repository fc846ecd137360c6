/* The benchmark that comes with redis. */
#ifndef BENCH_REDIS_BENCHMARK_H
#define BENCH_REDIS_BENCHMARK_H

#include <stdint.h>

#define REDIS_BENCHMARK_CLIENTS 8

/* Whether there is one. */
int redis_benchmark_is_installed(void);

/* Its SETs of so many bytes a second: `redis-benchmark -c 8 -P 16 -d SIZE -t set`, with our redis.
 */
double redis_benchmark_run(uint32_t size);

#endif
