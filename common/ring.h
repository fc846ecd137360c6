/*
 * The ring: frames through shared memory instead of the socket. A client makes it and hands it over
 * once (OPERATION_RING). It is two streams of bytes, one in each direction, each in a circle of
 * RING_SIZE bytes; what is in them is what would be on the socket. Positions only grow, and count
 * modulo 2^32; a byte stands at its position modulo RING_SIZE.
 *
 * Each word has one side that writes it. Whoever reads a word of the other side copies it once,
 * checks the copy, and keeps its own positions to itself: the words are only told to the other.
 *
 * Sleeping: a side that finds nothing to do for a while says so in its `sleeps`, looks once more,
 * and sleeps: the daemon in epoll, the client on the futex `changes`, which the daemon moves with
 * whatever it does here. The other side, after each change of a word, looks at `sleeps` (a full
 * fence lies between the two) and wakes: with a byte on the socket, or a FUTEX_WAKE.
 */
#ifndef MEMSTORE_RING_H
#define MEMSTORE_RING_H

#include <assert.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RING_SIZE 16384U /* bytes of each direction; a power of two */

/* A position in the value of a PUT with a window: the low 32 bits of the request's id, so that one
 * of another request is known, and bytes from the value's start. */
#define RING_PROGRESS(id, bytes) ((uint64_t)(uint32_t)(id) << 32 | (uint32_t)(bytes))

struct ring_page {
    /* What the client writes. */
    _Alignas(64) _Atomic uint32_t requests_end; /* so far it has put bytes in */
    _Atomic uint32_t answers_start;             /* so far it has taken bytes out */
    _Atomic uint64_t filled;                    /* RING_PROGRESS: so far the window has bytes */
    _Atomic uint32_t client_sleeps;             /* it wants FUTEX_WAKE */
    /* What the daemon writes. */
    _Alignas(64) _Atomic uint32_t answers_end;
    _Atomic uint32_t requests_start;
    _Atomic uint64_t drained;       /* RING_PROGRESS: so far the window's bytes are taken */
    _Atomic uint32_t daemon_sleeps; /* it wants a byte on the socket */
    _Atomic uint32_t changes;       /* the futex */
    _Atomic uint32_t is_crowded;    /* there are not cores enough for all who could spin */
    /* What both write, by compare and exchange. */
    _Alignas(64) _Atomic uint32_t bulk_use; /* enum ring_bulk_use */
};

/* Who has the bulk buffer: the client from before it fills it until it has its answer, the daemon
 * while it gives back the memory of one that is idle. */
enum ring_bulk_use {
    RING_BULK_IDLE = 0,
    RING_BULK_CLIENT = 1,
    RING_BULK_DAEMON = 2,
};

#define RING_REQUESTS 4096U                      /* where the requests' bytes stand in the file */
#define RING_ANSWERS (RING_REQUESTS + RING_SIZE) /* where the answers' do */
#define RING_FILE_SIZE (RING_ANSWERS + RING_SIZE)
static_assert(sizeof(struct ring_page) <= RING_REQUESTS, "ring_page");

#endif
