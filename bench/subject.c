#include "bench/subject.h"

#include "bench/machine.h"
#include "bench/process.h"
#include "bench/run.h"

volatile uint8_t subject_seen;

const struct subject *const subjects[SUBJECT_COUNT] = {
    [SUBJECT_MEMSTORE] = &subject_memstore,
    [SUBJECT_SOCKET] = &subject_socket,
    [SUBJECT_RAW] = &subject_raw,
    [SUBJECT_REDIS] = &subject_redis,
    [SUBJECT_MEMCACHED] = &subject_memcached,
    [SUBJECT_ECHO] = &subject_echo,
    [SUBJECT_MEMCPY] = &subject_memcpy,
};

unsigned call_weight(enum call call)
{
    return call == CALL_BATCH ? BATCH_LENGTH : 1;
}

static bool present[SUBJECT_COUNT];
static pid_t servers[SUBJECT_COUNT]; /* 0: none */

void subjects_start(void)
{
    for (int i = 0; i < SUBJECT_COUNT; i++) {
        const struct subject *subject = subjects[i];

        if (subject->needs && !process_is_installed(subject->needs)) {
            run_progress("%s is not installed and is left out (make bench-deps)", subject->needs);
            continue;
        }
        if (subject->start)
            servers[i] = subject->start();
        present[i] = true;
    }
}

bool subject_is_present(int subject)
{
    return present[subject];
}

void subjects_restart(void)
{
    for (int i = 0; i < SUBJECT_COUNT; i++)
        if (servers[i] > 0) {
            process_stop(servers[i]);
            servers[i] = subjects[i]->start();
        }
}

void subjects_place(unsigned cores)
{
    machine_place(0, cores > 0 ? 0 : MACHINE_ANY);
    for (int i = 0; i < SUBJECT_COUNT; i++)
        if (servers[i] > 0)
            machine_place(servers[i], cores > 0 ? (int)cores - 1 : MACHINE_ANY);
}
