#include "handle.h"
#include "message.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static void holder_read(struct memstore_holder *ours, const struct holder *theirs)
{
    *ours = (struct memstore_holder){.pid = theirs->pid,
                                     .uid = theirs->uid,
                                     .views = theirs->views,
                                     .pinned = theirs->pinned,
                                     .readers = theirs->readers,
                                     .oldest = theirs->oldest};
    memcpy(ours->name, theirs->name, sizeof(ours->name));
    ours->name[sizeof(ours->name) - 1] = '\0';
}

/* Structs of the caller's size: of another version, they may be shorter or longer than ours. */
static int holders_read(const struct answer *answer, size_t holder_size, uint8_t **ret_holders,
                        size_t *ret_count)
{
    const uint8_t *place = answer->frame.body;
    size_t length = answer->frame.body_length;
    struct list_answer head;
    uint8_t *holders;

    if (length < sizeof(head))
        return -EPROTO;
    memcpy(&head, place, sizeof(head));
    place += sizeof(head);
    length -= sizeof(head);
    if (length % sizeof(struct holder) != 0 || head.count != length / sizeof(struct holder))
        return -EPROTO;
    holders = calloc(head.count > 0 ? head.count : 1, holder_size);
    if (!holders)
        return message_fail(-ENOMEM, "out of memory");
    for (size_t i = 0; i < head.count; i++) {
        struct memstore_holder ours;
        struct holder theirs;

        memcpy(&theirs, place + i * sizeof(theirs), sizeof(theirs));
        holder_read(&ours, &theirs);
        memcpy(holders + i * holder_size, &ours,
               holder_size < sizeof(ours) ? holder_size : sizeof(ours));
    }
    *ret_holders = holders;
    *ret_count = head.count;
    return 0;
}

int memstore_holders(struct memstore *store, struct memstore_holder **ret_holders,
                     size_t *ret_count, size_t holder_size)
{
    struct request request = {.operation = OPERATION_HOLDERS};
    struct answer answer;
    uint8_t *holders = NULL;
    int r;

    if (holder_size == 0)
        return message_fail(-EINVAL, "no size of a holder: pass sizeof(struct memstore_holder)");
    r = handle_call(store, &request, &answer);
    if (r < 0)
        return r;
    if (answer.status < 0)
        r = answer_fail(&answer, "cannot list the holders");
    else
        r = holders_read(&answer, holder_size, &holders, ret_count);
    if (r == 0)
        *ret_holders = (struct memstore_holder *)(void *)holders;
    return handle_done(store, &answer, r);
}
