/* The stages that look at what grows with objects and clients, and at what the daemon itself needs.
 * Each store is one of its own, so that those of different sizes take turns in one race. */
#include "bench/client.h"
#include "bench/daemon.h"
#include "bench/machine.h"
#include "bench/process.h"
#include "bench/race.h"
#include "bench/stages.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define STORES 3
#define OBJECT_BYTES 100 /* of the values that a store is filled with */
#define SETTLE_NS (100 * MILLISECOND_NS)
#define CALLS_TO_SETTLE 8 /* of a client: it has its ring then */

const unsigned stage_crowds[STORES + 1] = {1, 100, 1000, 0};

static struct race race;

static struct row growth_row(enum call call)
{
    return (struct row){.part = PART_GROWTH, .call = call};
}

static void add_sample(const struct row *row, double sample)
{
    results_add(results_at(row, SUBJECT_MEMSTORE), sample);
}

static struct client *open_client(const struct daemon *daemon)
{
    return client_open(daemon->socket, MEMSTORE_READS_AUTO, MEMSTORE_CALLS_AUTO);
}

/* ---- objects ---- */

/* Bytes of memory that the store has when there is nothing more to do for it. */
static uint64_t settled_memory(struct client *client)
{
    uint64_t before, memory = client_stats(client).memory;

    do {
        before = memory;
        timing_sleep(SETTLE_NS);
        memory = client_stats(client).memory;
    } while (memory != before);
    return memory;
}

/* Fills a store; what one object needs of its memory is a sample if there are many. */
static void fill_store(struct client *client, uint64_t objects)
{
    struct row row = growth_row(CALL_OBJECT_MEMORY);
    uint64_t before = settled_memory(client);

    client_fill(client, &(struct objects){SET_SMALL, OBJECT_BYTES, 0, objects});
    row.size = OBJECT_BYTES;
    row.objects = objects;
    if (objects == settings.all)
        add_sample(&row, (double)(settled_memory(client) - before) / (double)objects);
}

static void measure_objects(void)
{
    const uint64_t counts[STORES] = {settings.few, settings.many, settings.all};
    static const char *const names[STORES] = {"few", "many", "all"};
    struct daemon daemons[STORES];
    struct client *clients[STORES];
    struct keys keys[STORES];

    memset(&race, 0, sizeof(race));
    for (size_t i = 0; i < STORES; i++) {
        struct row row = growth_row(CALL_PUT);

        daemon_start(&daemons[i], names[i]);
        clients[i] = open_client(&daemons[i]);
        fill_store(clients[i], counts[i]);
        keys[i] = keys_of_objects(counts[i]);
        row.size = OBJECT_BYTES;
        row.objects = counts[i];
        race_add_connection(&race, &row, &keys[i], SUBJECT_MEMSTORE, clients[i]);
    }
    race_run(&race);
    for (size_t i = 0; i < STORES; i++) {
        client_close(clients[i]);
        keys_finish(&keys[i]);
        daemon_stop(&daemons[i]);
    }
}

/* ---- clients ---- */

/* Each has used all that a client of small values uses. */
static void join_crowd(const struct daemon *daemon, const struct key *key)
{
    struct client *client = open_client(daemon);

    for (unsigned i = 0; i < CALLS_TO_SETTLE; i++)
        client_put(client, key, OBJECT_BYTES);
}

static _Noreturn void be_crowd(const struct daemon *daemon, unsigned count, int ready)
{
    const struct key key = key_of_object(SET_SMALL, 0);

    for (unsigned i = 0; i < count; i++)
        join_crowd(daemon, &key);
    if (write(ready, "", 1) == 1)
        pause(); /* up to a signal */
    _exit(0);
}

/* Clients that are connected and do nothing, in a process of their own, which process_stop ends. */
static pid_t start_crowd(const struct daemon *daemon, unsigned count)
{
    int ready[2];
    char byte;
    pid_t pid;

    if (pipe2(ready, O_CLOEXEC) < 0)
        run_fail("pipe2: %s", strerror(errno));
    pid = process_fork();
    if (pid == 0)
        be_crowd(daemon, count, ready[1]);
    close(ready[1]);
    if (read(ready[0], &byte, 1) != 1)
        run_fail("%u clients could not be connected", count);
    close(ready[0]);
    return pid;
}

/* A client's share of the daemon's memory, its ring included. */
static pid_t start_measured_crowd(const struct daemon *daemon, unsigned count)
{
    uint64_t before = machine_memory(daemon->pid);
    pid_t crowd = start_crowd(daemon, count);
    struct row row = growth_row(CALL_CLIENT_MEMORY);

    row.clients = count;
    if (count >= 100)
        add_sample(&row, (double)(machine_memory(daemon->pid) - before) / count);
    return crowd;
}

static void measure_clients(void)
{
    static const char *const names[STORES] = {"one", "hundred", "thousand"};
    struct daemon daemons[STORES];
    struct client *clients[STORES];
    pid_t crowds[STORES];
    struct keys keys = keys_of_objects(settings.many);

    memset(&race, 0, sizeof(race));
    for (size_t i = 0; i < STORES; i++) {
        struct row row = growth_row(CALL_PUT);

        daemon_start(&daemons[i], names[i]);
        clients[i] = open_client(&daemons[i]);
        client_fill(clients[i], &(struct objects){SET_SMALL, OBJECT_BYTES, 0, settings.many});
        crowds[i] = start_measured_crowd(&daemons[i], stage_crowds[i]);
        row.size = OBJECT_BYTES;
        row.clients = stage_crowds[i];
        race_add_connection(&race, &row, &keys, SUBJECT_MEMSTORE, clients[i]);
    }
    race_run(&race);
    for (size_t i = 0; i < STORES; i++) {
        process_stop(crowds[i]);
        client_close(clients[i]);
        daemon_stop(&daemons[i]);
    }
    keys_finish(&keys);
}

/* ---- the daemon ---- */

static void measure_start(void)
{
    const struct row start = growth_row(CALL_START), memory = growth_row(CALL_OWN_MEMORY);
    struct daemon daemon;

    for (unsigned round = 0; round < settings.rounds; round++) {
        daemon_start(&daemon, "fresh");
        add_sample(&start, (double)daemon.start_ns);
        timing_sleep(SETTLE_NS / 10);
        add_sample(&memory, (double)machine_memory(daemon.pid));
        daemon_stop(&daemon);
    }
}

/* The time of the processor that clients cost who do nothing. */
static void measure_idle(void)
{
    struct row theirs = growth_row(CALL_IDLE_CLIENTS), ours = growth_row(CALL_IDLE_DAEMON);
    struct daemon daemon;
    pid_t crowd;
    int64_t daemon_before, crowd_before;

    theirs.clients = ours.clients = IDLE_CLIENTS;
    daemon_start(&daemon, "idle");
    crowd = start_crowd(&daemon, IDLE_CLIENTS);
    timing_sleep(SECOND_NS); /* what is left to do is done then */
    daemon_before = machine_cpu(daemon.pid);
    crowd_before = machine_cpu(crowd);
    timing_sleep(IDLE_NS);
    add_sample(&ours, (double)(machine_cpu(daemon.pid) - daemon_before));
    add_sample(&theirs, (double)(machine_cpu(crowd) - crowd_before));
    process_stop(crowd);
    daemon_stop(&daemon);
}

void stage_growth(void)
{
    run_progress("growth: objects");
    measure_objects();
    run_progress("growth: clients");
    measure_clients();
    run_progress("growth: the daemon itself");
    measure_start();
    if (!settings.quick)
        measure_idle();
}
