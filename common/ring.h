/*
 * The ring: frames through shared memory instead of the socket. A client makes it and hands it over
 * once (OPERATION_RING). It is two streams of bytes, one in each direction, each in a circle of
 * RING_SIZE bytes; what is in them is what would be on the socket. Positions only grow, and count
 * modulo 2^32; a byte stands at its position modulo RING_SIZE.
 *
 * Each word has one side that writes it. Whoever reads a word of the other side copies it once,
 * checks the copy, and keeps its own positions to itself: the words only tell them to the other.
 *
 * Sleeping: a side that finds nothing to do for a while says so (daemon_awaits, client_sleeps),
 * looks once more, and sleeps: the daemon in epoll, the client on the futex `changes`, which the
 * daemon moves with whatever it does here. After each change of a word the other side looks whether
 * it sleeps, with a full fence between the two, and wakes it: with a byte on the socket, or a
 * FUTEX_WAKE. The byte itself means nothing.
 */
#ifndef MEMSTORE_RING_H
#define MEMSTORE_RING_H

#include <assert.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RING_SIZE 16384U /* bytes of each direction; a power of two */

/* What the daemon wants to be woken for: bits of daemon_awaits. 0: it is awake. */
#define RING_AWAITS_REQUESTS 1U /* requests_end has moved */
#define RING_AWAITS_ROOM 2U     /* answers_start has: answers wait to be put in */
#define RING_AWAITS_FILLED 4U   /* `filled` has */

struct ring_page {
    /* What the client writes. */
    _Alignas(64) _Atomic uint32_t requests_end; /* so far it has put bytes in */
    _Atomic uint32_t answers_start;             /* so far it has taken bytes out */
    _Atomic uint64_t filled;                    /* RING_PROGRESS: so far the window has bytes */
    _Atomic uint32_t client_sleeps;             /* it wants FUTEX_WAKE */
    _Atomic uint32_t client_core;               /* where it ran when it last put something in */
    /* What the daemon writes. */
    _Alignas(64) _Atomic uint32_t answers_end;
    _Atomic uint32_t requests_start;
    _Atomic uint64_t drained; /* RING_PROGRESS: so far the window's bytes are taken */
    _Atomic uint32_t daemon_awaits;
    _Atomic uint32_t changes;    /* the futex */
    _Atomic uint32_t is_crowded; /* there are more who could spin than cores */
    /* What both write, by compare and exchange. */
    _Alignas(64) _Atomic uint32_t bulk_use; /* enum ring_bulk_use */
};

/* A position in the value of a PUT with a window: the low 32 bits of the request's id, so that one
 * of another request is known, and bytes from the value's start. */
#define RING_PROGRESS(id, bytes) ((uint64_t)(uint32_t)(id) << 32 | (uint32_t)(bytes))

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

/* One direction, from one side. */
struct ring_stream {
    uint8_t *bytes;
    _Atomic uint32_t *mine;   /* the word that tells our position */
    _Atomic uint32_t *theirs; /* the word that tells theirs */
    uint32_t position;        /* ours */
};

/* One side's end of a ring. */
struct ring {
    struct ring_page *page; /* the mapped file; NULL: there is no ring */
    struct ring_stream in;
    struct ring_stream out;
};

/* Begins to use a file that is mapped (RING_FILE_SIZE bytes, zeros), as the daemon or the client.
 */
void ring_init(struct ring *ring, void *file, bool is_daemon);

/* Unmaps it. Does nothing where there is no ring. */
void ring_finish(struct ring *ring);

/* Tells the core that we are only looking. */
static inline void ring_pause(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("isb");
#endif
}

/* Bytes that can be taken out, or put in, now. -EPROTO: the other side's position is impossible. */
int ring_available(const struct ring *ring);
int ring_room(const struct ring *ring);

/* Takes out up to `size` bytes, or puts in as many of them as there is room for. Returns how many;
 * -EPROTO. */
int ring_take(struct ring *ring, uint8_t *to, size_t size);
int ring_put(struct ring *ring, const uint8_t *from, size_t size);

#endif
