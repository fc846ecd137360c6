#include "bench/pipeline.h"

#include "bench/run.h"
#include "bench/stream.h"

#include <stdlib.h>
#include <string.h>

#define DEPTH 100

static size_t append_put(char *text, uint64_t number, write_put *write)
{
    const struct key key = key_of_object(number);
    size_t length = (size_t)write(text, &key, SMALL);

    memcpy(text + length, keys_value(), SMALL);
    memcpy(text + length + SMALL, "\r\n", 2);
    return length + SMALL + 2;
}

static void check_answers(const struct stream *stream, unsigned count, const char *answer)
{
    for (unsigned i = 0; i < count; i++)
        if (memcmp(stream->buffer + i * strlen(answer), answer, strlen(answer)) != 0)
            run_fail("a server answered %.40s", stream->buffer);
}

void pipeline_fill(const char *socket, uint64_t from, uint64_t to, write_put *write,
                   const char *answer)
{
    struct stream *stream = stream_open(socket);
    char *text = run_allocate((uint64_t)DEPTH * (COMMAND_MAX + SMALL));

    while (from < to) {
        size_t length = 0;
        unsigned count = 0;

        for (; count < DEPTH && from < to; count++, from++)
            length += append_put(text + length, from, write);
        stream_send_text(stream, text, length);
        stream_receive(stream, count * strlen(answer));
        check_answers(stream, count, answer);
    }
    free(text);
    stream_close(stream);
}
