/* What is aimed at in changes. */
#include "bench/stages.h"
#include "bench/targets_list.h"

static struct row change(enum call call, uint32_t size)
{
    return (struct row){.part = PART_CHANGES, .call = call, .size = size};
}

static struct term ours(enum call call, uint32_t size)
{
    return term(change(call, size), SUBJECT_MEMSTORE);
}

/* How many times memstore's time the peers need for a put. */
static void add_peers(struct targets *targets, uint32_t size, double redis, double memcached)
{
    char text[16];

    size_print(size, text, sizeof(text));
    at_least(targets_add(targets, term(change(CALL_PUT, size), SUBJECT_REDIS), ours(CALL_PUT, size),
                         "redis set %s : put %s", text, text),
             redis);
    at_least(targets_add(targets, term(change(CALL_PUT, size), SUBJECT_MEMCACHED),
                         ours(CALL_PUT, size), "memcached set %s : put %s", text, text),
             memcached);
}

/* The same with both sides on a core of their own each. */
static void add_peers_placed(struct targets *targets)
{
    static const int peers[] = {SUBJECT_REDIS, SUBJECT_MEMCACHED};
    const struct row put = {.part = PART_PLACED, .call = CALL_PUT, .size = SMALL, .cores = 2};

    for (size_t i = 0; i < 2; i++)
        at_least(targets_add(targets, term(put, peers[i]), term(put, SUBJECT_MEMSTORE),
                             "%s set 128 B : put 128 B, on two cores", subjects[peers[i]]->name),
                 10);
}

static void add_puts(struct targets *targets)
{
    const struct row single = {.part = PART_CHANGES, .call = CALL_PUT, .size = MIB, .objects = 1};

    add_peers(targets, SMALL, 10, 10);
    add_peers_placed(targets);
    at_most(targets_add(targets, ours(CALL_PUT, SMALL), term(change(CALL_PUT, SMALL), SUBJECT_RAW),
                        "put 128 B : raw LMDB's put + commit"),
            3);
    add_peers(targets, MIB, 10, 4);
    at_most(targets_add(targets, ours(CALL_PUT, MIB),
                        term(change(CALL_MEMCPYS, MIB), SUBJECT_MEMCPY), "put 1 MiB : two memcpys"),
            3);
    at_most(targets_add(targets, term(single, SUBJECT_MEMSTORE),
                        term(change(CALL_MEMCPYS_CACHED, MIB), SUBJECT_MEMCPY),
                        "put 1 MiB, one object : two memcpys in cache"),
            3);
    add_peers(targets, READ_MAX, 5, 5);
}

/* Their time is to be that of a small put, whatever the value's size. */
static void add_pairs(struct targets *targets)
{
    static const enum call calls[] = {CALL_COPY, CALL_MOVE, CALL_DELETE};
    static const uint32_t sizes[] = {SMALL, MIB, LARGEST};
    char text[16];

    for (size_t i = 0; i < 3; i++)
        for (size_t j = 0; j < 3; j++) {
            size_print(sizes[j], text, sizeof(text));
            at_most(targets_add(targets, ours(calls[i], sizes[j]), ours(CALL_PUT, SMALL),
                                "%s %s : put 128 B", call_name(calls[i]), text),
                    1.5);
        }
}

/* The slow ones are to be few. */
static void add_singles(struct targets *targets)
{
    static const struct {
        enum call call;
        uint32_t size;
    } calls[] = {{CALL_GET, SMALL},  {CALL_PUT, SMALL},    {CALL_PUT, MIB},   {CALL_COPY, SMALL},
                 {CALL_MOVE, SMALL}, {CALL_DELETE, SMALL}, {CALL_DELETE, MIB}};
    char text[16];

    for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
        struct row middle = {
            .part = PART_SINGLES, .call = calls[i].call, .size = calls[i].size, .percentile = 500};
        struct row slow = middle;

        slow.percentile = 990;
        size_print(middle.size, text, sizeof(text));
        at_most(targets_add(targets, term(slow, SUBJECT_MEMSTORE), term(middle, SUBJECT_MEMSTORE),
                            "%s %s: p99 : p50", call_name(middle.call), text),
                5);
    }
}

static void add_socket(struct targets *targets)
{
    for (unsigned cores = 1; cores <= 2; cores++) {
        const struct row put = {
            .part = PART_PLACED, .call = CALL_PUT, .size = SMALL, .cores = cores};
        const struct row echo = {
            .part = PART_PLACED, .call = CALL_ECHO, .size = ECHO_BYTES, .cores = cores};

        at_most(targets_add(targets, term(put, SUBJECT_SOCKET), term(echo, SUBJECT_ECHO),
                            "put 128 B over the socket : echo, on %s",
                            cores == 1 ? "one core" : "two cores"),
                1.25);
    }
}

/* ---- several processes, several puts ---- */

static struct row group(enum part part, enum call call, uint32_t size, uint64_t objects,
                        unsigned processes)
{
    return (struct row){
        .part = part, .call = call, .size = size, .objects = objects, .processes = processes};
}

static void add_batches(struct targets *targets)
{
    const struct row one = group(PART_BATCHES, CALL_BATCH, SMALL, 0, 0);
    const struct row all = group(PART_BATCHES, CALL_BATCH, SMALL, 0, 8);
    const struct row benchmark = group(PART_BATCHES, CALL_BENCHMARK, SMALL, 0, 8);

    at_least(targets_add(targets, term(one, SUBJECT_REDIS), term(one, SUBJECT_MEMSTORE),
                         "redis pipeline of 100 SET : batch of 100 puts"),
             1.2);
    at_least(targets_add(targets, term(all, SUBJECT_MEMSTORE), term(benchmark, SUBJECT_REDIS),
                         "batches, 8 processes : redis-benchmark -c 8 -P 16"),
             1);
}

static void add_mix(struct targets *targets)
{
    static const int peers[] = {SUBJECT_REDIS, SUBJECT_MEMCACHED};
    const struct row row =
        group(PART_MIX, CALL_MIX, STAGE_MIX_BYTES, STAGE_MIX_OBJECTS, STAGE_MIX_PROCESSES);

    for (size_t i = 0; i < 2; i++)
        at_least(targets_add(targets, term(row, SUBJECT_MEMSTORE), term(row, peers[i]),
                             "YCSB B, 8 processes : %s's", subjects[peers[i]]->name),
                 10);
}

static void add_writers(struct targets *targets)
{
    for (size_t i = 0; stage_writers_groups[i]; i++) {
        const struct row row =
            group(PART_WRITERS, CALL_PUT, SMALL, settings.many, stage_writers_groups[i]);

        at_least(targets_add(targets, term(row, SUBJECT_MEMSTORE), term(row, SUBJECT_SOCKET),
                             "puts of %u process%s : without ring", row.processes,
                             row.processes > 1 ? "es" : ""),
                 1);
    }
}

/* It may not wait for all of the large one. */
static void add_beside(struct targets *targets)
{
    const struct row row = {.part = PART_SINGLES,
                            .call = CALL_PUT,
                            .size = SMALL,
                            .processes = 1,
                            .writer = READ_MAX,
                            .percentile = 990};

    at_most(targets_add(targets, term(row, SUBJECT_MEMSTORE), constant(MILLISECOND_NS),
                        "put 128 B beside puts of 16 MiB: p99, ms"),
            20);
}

void targets_of_changes(struct targets *targets)
{
    targets->group = "changes";
    add_puts(targets);
    add_pairs(targets);
    add_socket(targets);
    add_writers(targets);
    add_batches(targets);
    add_mix(targets);
    add_singles(targets);
    add_beside(targets);
}
