#include "message.h"
#include "writer.h"

#include <errno.h>
#include <stdlib.h>

/* A writer whose value has all its bytes from the start. */
struct memstore_reservation {
    struct memstore_writer writer;
};

int memstore_reserve(struct memstore *store, const void *key, size_t key_length, size_t size,
                     const struct memstore_put_options *options,
                     struct memstore_reservation **ret_reservation, void **ret_place)
{
    struct memstore_reservation *reservation = malloc(sizeof(*reservation));
    void *place;
    int r;

    if (!reservation)
        return message_fail(-ENOMEM, "out of memory");
    r = writer_start(&reservation->writer, store, key, key_length, options);
    if (r < 0) {
        free(reservation);
        return r;
    }
    r = writer_grow(&reservation->writer, size, &place);
    if (r < 0) {
        memstore_cancel(reservation);
        return r;
    }
    *ret_reservation = reservation;
    *ret_place = place;
    return 0;
}

int memstore_commit(struct memstore_reservation *reservation, struct memstore_object **ret_object)
{
    int r = writer_put(&reservation->writer, ret_object);

    memstore_cancel(reservation);
    return r;
}

void memstore_cancel(struct memstore_reservation *reservation)
{
    if (reservation)
        writer_finish(&reservation->writer);
    free(reservation);
}
