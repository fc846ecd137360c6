/*
 * A batch: its operations, encoded as they will be sent (batch.c), and what came out
 * (batch_answers.c). pipeline.c runs a plain one, atomic.c one that is all or nothing.
 */
#ifndef MEMSTORE_BATCH_H
#define MEMSTORE_BATCH_H

#include "channel.h"
#include "common/protocol.h"
#include "memstore.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Bytes one behind the other; growing may move them. */
struct bytes {
    uint8_t *data;
    size_t length;
    size_t capacity;
};

/* Makes room for `more` bytes behind the end. -ENOMEM; then what is there stays. */
int bytes_make_room(struct bytes *bytes, size_t more);

/* An operation, and what came out. Its frame stands in the batch's frames, without id and bucket.
 */
struct step {
    enum operation operation;
    int status;        /* as memstore_batch_status tells it */
    size_t frame;      /* where its frame is */
    struct part value; /* of a put, if it is too large for the frame; the caller's */
    uint64_t room;     /* that a get needs in the bulk buffer, in an atomic batch */
    size_t answer;     /* where the body of its answer is */
    size_t answer_length;
    bool is_conflict; /* as in struct answer */
    uint64_t conflict;
    struct memstore_object *object; /* NULL: not made yet */
};

struct memstore_batch {
    struct memstore *store;
    bool atomic;
    bool undone; /* an atomic one: nothing happened, because of */
    size_t failed;
    struct step *steps;
    size_t count;
    size_t capacity; /* of steps */
    uint64_t volume; /* bytes of frames and values */
    struct bytes frames;
    struct bytes answers;
};

/* A step's frame, taken apart. */
struct step_frame {
    struct frame_header header;
    size_t front; /* bytes of the condition, in front of the body; 0: there is none */
    struct condition condition;
    const uint8_t *body; /* behind it */
    size_t body_length;
    const uint8_t *key; /* in the body */
    size_t key_length;
};
void step_frame_read(const struct memstore_batch *batch, const struct step *step,
                     struct step_frame *ret_frame);

/* Forgets the answers of the last run. */
void batch_forget(struct memstore_batch *batch);

/* Takes in the answer to a step. -EPROTO: it is not one; -ENOMEM, then the message is set. */
int batch_take_answer(struct memstore_batch *batch, struct step *step, const struct answer *answer);

/* Nothing happened, because of that step; or of all together, if it is the count. The answer says
 * why. Sets the message and returns the status. */
int batch_undo(struct memstore_batch *batch, size_t failed, const struct answer *answer);

/* Bytes in front of the body of a step's frame. */
static inline size_t step_front(const struct frame_header *header)
{
    return header->flags & FRAME_CONDITION ? sizeof(struct condition) : 0;
}

/* All steps in order, each for itself. As memstore_batch_run. */
int pipeline_run(struct memstore_batch *batch);

/* All of them, or none. */
int atomic_run(struct memstore_batch *batch);

#endif
