/* How a channel speaks through a ring: makes it, wakes the daemon, waits for it. */
#ifndef MEMSTORE_RINGING_H
#define MEMSTORE_RINGING_H

#include "channel.h"

/* Makes a ring and hands it over. Returns 0, or 1 if there is none to be had: the daemon does not
 * take it, or memory is short, and the connection is as it was. Negative errno: as channel_await.
 */
int ringing_attach(struct channel *channel, int64_t deadline);

/* Wakes the daemon if it sleeps and awaits this (RING_AWAITS_...). Negative errno. */
int ringing_wake(struct channel *channel, uint32_t what);

/*
 * Waits until is_there says so, which looks at what the daemon writes: for a short while looking,
 * then asleep. -ETIMEDOUT; -ECONNRESET: the daemon is gone; -EPROTO: it does not keep to the
 * protocol.
 */
int ringing_wait(struct channel *channel, bool (*is_there)(const struct channel *channel),
                 int64_t deadline);

#endif
