/* A large value on its way through the window: filled here while the daemon takes bytes out. */
#ifndef MEMSTORE_STREAM_H
#define MEMSTORE_STREAM_H

#include "channel.h"

/* Values from here on go so, bytes. For smaller ones the two copies are too short to overlap. */
#define STREAM_MIN (UINT64_C(256) << 10)

/* Bytes of the window: it stays in the processors' caches, which a whole value would not. */
#define STREAM_WINDOW (UINT64_C(1) << 20)

/*
 * Fills the window with the value, for the request of that id, which has been sent and stands at
 * the start of the bulk buffer. Returns 0 when all is filled or there is an answer that wants no
 * more; otherwise as channel_await.
 */
int stream_value(struct channel *channel, uint64_t id, const struct part *value, int64_t deadline);

#endif
