#include "tally.h"

#include "json.h"

#include <stdarg.h>

static void note(struct tally *tally, enum status status)
{
    if (status > tally->worst)
        tally->worst = status;
}

/* The bar makes room for a line; it comes back with what is done next. */
__attribute__((format(printf, 2, 0))) static void say(struct tally *tally, const char *format,
                                                      va_list arguments)
{
    progress_finish(&tally->progress);
    complain_list(format, arguments);
}

void tally_done(struct tally *tally, uint64_t bytes)
{
    progress_add(&tally->progress, bytes);
    tally_count(tally, STATUS_DONE, bytes);
}

void tally_count(struct tally *tally, enum status status, uint64_t bytes)
{
    note(tally, status);
    if (status != STATUS_DONE) {
        tally->failed++;
        return;
    }
    tally->objects++;
    tally->bytes += bytes;
}

void tally_skip(struct tally *tally, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    say(tally, format, arguments);
    va_end(arguments);
    tally->skipped++;
}

void tally_fail(struct tally *tally, enum status status, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    say(tally, format, arguments);
    va_end(arguments);
    tally_count(tally, status, 0);
}

void tally_stop(struct tally *tally, enum status status, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    say(tally, format, arguments);
    va_end(arguments);
    note(tally, status);
}

enum status tally_finish(struct tally *tally, bool is_json)
{
    progress_finish(&tally->progress);
    if (is_json)
        note(tally, json_tally(tally));
    return tally->worst;
}
