#include "handle.h"
#include "message.h"

#include <errno.h>
#include <stdatomic.h>
#include <string.h>

/* Ours are the daemon's row of 64-bit numbers and two more. */
static_assert(offsetof(struct memstore_stats, direct_reads) == sizeof(struct stats_answer),
              "memstore_stats");
static_assert(offsetof(struct memstore_stats, locks) == offsetof(struct stats_answer, locks),
              "memstore_stats");

static int stats_read(struct memstore *store, const struct answer *answer, void *ret_stats,
                      size_t stats_size)
{
    struct memstore_stats stats = {.direct_reads = direct_count(&store->direct),
                                   .socket_reads = atomic_load(&store->direct.asked)};

    if (answer->frame.body_length != sizeof(struct stats_answer))
        return -EPROTO;
    memcpy(&stats, answer->frame.body, sizeof(struct stats_answer));
    memset(ret_stats, 0, stats_size);
    memcpy(ret_stats, &stats, stats_size < sizeof(stats) ? stats_size : sizeof(stats));
    return 0;
}

int memstore_stats(struct memstore *store, struct memstore_stats *ret_stats, size_t stats_size)
{
    struct request request = {.operation = OPERATION_STATS};
    struct answer answer;
    int r;

    if (stats_size == 0)
        return message_fail(-EINVAL, "no size of the stats: pass sizeof(struct memstore_stats)");
    r = handle_call(store, &request, &answer);
    if (r < 0)
        return r;
    if (answer.status < 0)
        r = answer_fail(&answer, "cannot get the stats");
    else
        r = stats_read(store, &answer, ret_stats, stats_size);
    return handle_done(store, &answer, r);
}
