#include "bench/workers.h"

#include "bench/durations.h"
#include "bench/process.h"

#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#define WORKERS_MAX 17 /* a group's processes and a writer */
#define WARM_NS (5 * MILLISECOND_NS)
#define PACE_NS MILLISECOND_NS /* from one call to the next, where they are timed one by one */
#define START_NS (30 * SECOND_NS)

/* Memory that the processes of a group share. */
struct board {
    _Atomic unsigned ready;
    _Atomic bool go, stop;
    struct {
        double calls, seconds, cpu_seconds;
    } workers[WORKERS_MAX];
    struct durations durations; /* of the first one's calls */
};

static struct board *board;

/* What one of the processes does. */
struct work {
    void *connection;
    operation *call, *instead; /* instead: in MIX_PUTS of 100 calls; NULL: never */
    uint32_t size;
    const struct keys *keys;
    size_t next; /* key */
    uint64_t state;
    struct durations *durations; /* NULL: they do not matter */
};

static struct work work_of(const struct group *group, unsigned index)
{
    const struct subject *subject = subjects[group->subject];
    const struct row *row = &group->row;
    bool writes = index == row->processes;
    struct work work = {.size = writes ? row->writer : row->size,
                        .keys = writes && group->writer_keys ? group->writer_keys : group->keys,
                        .state = 88172645463325252ULL + index,
                        .durations = row->percentile > 0 && !writes ? &board->durations : NULL};

    work.call = subject->calls[writes ? CALL_PUT : row->call == CALL_MIX ? CALL_GET : row->call];
    if (row->call == CALL_MIX && !writes)
        work.instead = subject->calls[CALL_PUT];
    work.next = work.keys->count * index / (row->processes + 1);
    work.connection = subject->open(writes || row->call >= CALL_PUT);
    return work;
}

static void call_once(struct work *work)
{
    operation *call =
        work->instead && keys_random(&work->state) % 100 < MIX_PUTS ? work->instead : work->call;

    work->next = work->next + 1 < work->keys->count ? work->next + 1 : 0;
    call(work->connection, &work->keys->list[work->next], work->size);
}

static bool is_stopped(void)
{
    return atomic_load_explicit(&board->stop, memory_order_relaxed);
}

static uint64_t call_until_stop(struct work *work)
{
    uint64_t calls = 0;

    for (; !is_stopped(); calls++)
        call_once(work);
    return calls;
}

/* Calls at given times, and counts from these: who has to wait long would else make few calls in
 * that time, and the wait would seem to be rare. */
static void call_by_the_clock(struct work *work)
{
    for (int64_t due = timing_now(); !is_stopped(); due += PACE_NS) {
        if (timing_now() < due)
            timing_sleep(due - timing_now());
        call_once(work);
        durations_add(work->durations, (double)(timing_now() - due));
    }
}

static void run_worker(const struct group *group, unsigned index)
{
    struct work work = work_of(group, index);
    int64_t warm = timing_now() + WARM_NS;
    int64_t start, cpu_start;
    uint64_t calls = 0;

    do
        call_once(&work);
    while (timing_now() < warm);
    atomic_fetch_add(&board->ready, 1);
    while (!atomic_load(&board->go))
        timing_sleep(MILLISECOND_NS / 10);
    start = timing_now();
    cpu_start = timing_cpu();
    if (work.durations)
        call_by_the_clock(&work);
    else
        calls = call_until_stop(&work);
    board->workers[index].seconds = (double)(timing_now() - start) / (double)SECOND_NS;
    board->workers[index].cpu_seconds = (double)(timing_cpu() - cpu_start) / (double)SECOND_NS;
    board->workers[index].calls = (double)(calls * call_weight(group->row.call));
}

static void wait_for_workers(unsigned count)
{
    int64_t deadline = timing_now() + START_NS;

    while (atomic_load(&board->ready) < count) {
        run_check();
        if (timing_now() > deadline)
            run_fail("the workers do not start");
        timing_sleep(MILLISECOND_NS);
    }
}

/* What readers need of a processor is of interest: they may have it to themselves. */
static void add_up(const struct group *group)
{
    struct row per_cpu = group->row;
    double rate = 0, calls = 0, cpu_seconds = 0;

    for (unsigned i = 0; i < group->row.processes; i++) {
        rate += board->workers[i].calls / board->workers[i].seconds;
        calls += board->workers[i].calls;
        cpu_seconds += board->workers[i].cpu_seconds;
    }
    results_add(results_at(&group->row, group->subject), rate);
    per_cpu.per_cpu = true;
    if (group->row.part == PART_READERS)
        results_add(results_at(&per_cpu, group->subject), calls / cpu_seconds);
}

void workers_run(const struct group *group)
{
    unsigned count = group->row.processes + (group->row.writer > 0);
    pid_t pids[WORKERS_MAX];

    if (!board)
        board = run_share(sizeof(*board));
    memset(board, 0, offsetof(struct board, durations));
    durations_clear(&board->durations);
    for (unsigned i = 0; i < count; i++) {
        pids[i] = process_fork();
        if (pids[i] == 0) {
            run_worker(group, i);
            _exit(0);
        }
    }
    wait_for_workers(count);
    atomic_store(&board->go, true);
    timing_sleep(group->duration_ns);
    atomic_store(&board->stop, true);
    for (unsigned i = 0; i < count; i++)
        process_join(pids[i]);
    if (group->row.percentile > 0)
        durations_report(&board->durations, &group->row, group->subject);
    else
        add_up(group);
    run_check();
}
