#include "bench/pipeline.h"

#include "bench/run.h"
#include "bench/subject.h"

#include <stdlib.h>
#include <string.h>

#define SIZE_MAX_PIPELINED KIB /* bytes of a value */

/* The commands on their way. */
static char text[BATCH_LENGTH * (COMMAND_MAX + SIZE_MAX_PIPELINED + 2)];
static size_t length;

static void append(const struct pipeline *pipeline, const struct key *key, uint32_t size)
{
    length += (size_t)pipeline->write(text + length, key, size);
    memcpy(text + length, keys_value(), size);
    memcpy(text + length + size, "\r\n", 2);
    length += size + 2;
}

static void send_all(const struct pipeline *pipeline, struct stream *stream, unsigned count)
{
    const size_t each = strlen(pipeline->answer);

    stream_send_text(stream, text, length);
    stream_receive(stream, count * each);
    for (unsigned i = 0; i < count; i++)
        if (memcmp(stream->buffer + i * each, pipeline->answer, each) != 0)
            run_fail("a server answered %.40s", stream->buffer);
    length = 0;
}

void pipeline_fill(const struct pipeline *pipeline, const char *socket,
                   const struct objects *objects)
{
    struct stream *stream = stream_open(socket);

    for (uint64_t i = objects->from; i < objects->to;) {
        unsigned count = 0;

        for (; count < BATCH_LENGTH && i < objects->to; count++, i++) {
            const struct key key = key_of_object(objects->set, i);

            append(pipeline, &key, objects->size);
        }
        send_all(pipeline, stream, count);
    }
    stream_close(stream);
}

void pipeline_batch(const struct pipeline *pipeline, struct stream *stream, const struct key *key,
                    uint32_t size)
{
    for (unsigned i = 0; i < BATCH_LENGTH; i++) {
        const struct key one = key_in_batch(key, i);

        append(pipeline, &one, size);
    }
    send_all(pipeline, stream, BATCH_LENGTH);
}
