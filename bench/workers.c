/* Several processes read at once, for a slice of time, with and without another one that writes. */
#include "bench/process.h"
#include "bench/race.h"
#include "bench/stages.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define WORKERS_MAX 9 /* readers and a writer */
#define CHUNK 32      /* calls between two looks at the board */
#define WARM_NS (5 * MILLISECOND_NS)
#define START_NS (30 * SECOND_NS)

/* Memory that the processes of a group share. */
struct board {
    _Atomic unsigned ready;
    _Atomic bool go, stop;
    struct {
        double calls, seconds, cpu_seconds;
    } workers[WORKERS_MAX];
};

static void work(struct board *board, unsigned index, int subject, enum call call,
                 const struct keys *keys)
{
    void *connection = subjects[subject]->open(call == CALL_PUT);
    operation *perform = subjects[subject]->calls[call];
    int64_t warm = timing_now() + WARM_NS;
    size_t next = keys->count / WORKERS_MAX * index;
    uint64_t calls = 0;
    int64_t start, cpu_start;

    for (size_t i = 0; i < keys->count && timing_now() < warm; i++)
        perform(connection, &keys->list[i], SMALL);
    atomic_fetch_add(&board->ready, 1);
    while (!atomic_load(&board->go))
        timing_sleep(MILLISECOND_NS / 10);
    start = timing_now();
    cpu_start = timing_cpu();
    for (; !atomic_load_explicit(&board->stop, memory_order_relaxed); calls += CHUNK)
        for (unsigned i = 0; i < CHUNK; i++) {
            next = next + 1 < keys->count ? next + 1 : 0;
            perform(connection, &keys->list[next], SMALL);
        }
    board->workers[index].seconds = (double)(timing_now() - start) / (double)SECOND_NS;
    board->workers[index].cpu_seconds = (double)(timing_cpu() - cpu_start) / (double)SECOND_NS;
    board->workers[index].calls = (double)calls;
}

static void wait_for_workers(const struct board *board, unsigned count)
{
    int64_t deadline = timing_now() + START_NS;

    while (atomic_load(&board->ready) < count) {
        run_check();
        if (timing_now() > deadline)
            run_fail("the workers do not start");
        timing_sleep(MILLISECOND_NS);
    }
}

static void add_up(const struct board *board, const struct row *row, int subject)
{
    struct row per_cpu = *row;
    double rate = 0, calls = 0, cpu_seconds = 0;

    for (unsigned i = 0; i < row->processes; i++) {
        rate += board->workers[i].calls / board->workers[i].seconds;
        calls += board->workers[i].calls;
        cpu_seconds += board->workers[i].cpu_seconds;
    }
    results_add(results_at(row, subject), rate);
    per_cpu.per_cpu = true;
    results_add(results_at(&per_cpu, subject), calls / cpu_seconds);
}

static void run_group(struct board *board, const struct row *row, int subject,
                      const struct keys *keys)
{
    unsigned count = row->processes + (row->writer > 0);
    pid_t pids[WORKERS_MAX];

    memset(board, 0, sizeof(*board));
    for (unsigned i = 0; i < count; i++) {
        pids[i] = process_fork();
        if (pids[i] == 0) {
            work(board, i, subject, i < row->processes ? row->call : CALL_PUT, keys);
            _exit(0);
        }
    }
    wait_for_workers(board, count);
    atomic_store(&board->go, true);
    timing_sleep(settings.workers_ns);
    atomic_store(&board->stop, true);
    for (unsigned i = 0; i < count; i++)
        process_join(pids[i]);
    add_up(board, row, subject);
    run_check();
}

/* Every group of processes of every subject, once. */
static void run_round(struct board *board, uint64_t objects, const struct keys *keys)
{
    static const unsigned groups[] = {1, 4, 8};
    static const int contestants[] = {SUBJECT_MEMSTORE, SUBJECT_RAW, SUBJECT_REDIS,
                                      SUBJECT_MEMCACHED};

    for (size_t i = 0; i < 6; i++)
        for (size_t j = 0; j < sizeof(contestants) / sizeof(contestants[0]); j++) {
            const struct row row = {.part = PART_READERS,
                                    .call = CALL_GET,
                                    .size = SMALL,
                                    .objects = objects,
                                    .processes = groups[i / 2],
                                    .writer = i % 2 ? SMALL : 0};

            if (subject_is_present(contestants[j]))
                run_group(board, &row, contestants[j], keys);
        }
}

void stage_workers(uint64_t objects)
{
    struct keys keys = keys_of_objects(objects);
    struct board *board = run_share(sizeof(*board));

    run_progress("reading processes");
    for (unsigned round = 0; round < settings.rounds; round++)
        run_round(board, objects, &keys);
    munmap(board, sizeof(*board));
    keys_finish(&keys);
}
