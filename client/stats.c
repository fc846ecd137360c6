#include "handle.h"
#include "message.h"

#include <errno.h>
#include <string.h>

/* Both are the same row of 64-bit numbers as long as neither has grown. */
static_assert(sizeof(struct memstore_stats) == sizeof(struct stats_answer), "memstore_stats");
static_assert(offsetof(struct memstore_stats, pid) == offsetof(struct stats_answer, pid),
              "memstore_stats");

static int stats_read(const struct answer *answer, void *ret_stats, size_t stats_size)
{
    size_t known = sizeof(struct stats_answer);

    if (answer->frame.body_length != known)
        return -EPROTO;
    memset(ret_stats, 0, stats_size);
    memcpy(ret_stats, answer->frame.body, stats_size < known ? stats_size : known);
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
        r = stats_read(&answer, ret_stats, stats_size);
    return handle_done(store, &answer, r);
}
