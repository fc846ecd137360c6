#include "progress.h"

#include "common/size.h"
#include "text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#define NANOSECONDS INT64_C(1000000000) /* of a second */
#define FIRST_AFTER (NANOSECONDS * 3 / 10)
#define NEXT_AFTER (NANOSECONDS / 10)
#define BAR_MAX 30 /* columns */

static int64_t now(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return (int64_t)time.tv_sec * NANOSECONDS + time.tv_nsec;
}

void progress_init(struct progress *progress, const char *what, uint64_t total, int fd)
{
    const char *terminal = getenv("TERM");

    *progress = (struct progress){.what = what, .total = total, .started = now()};
    progress->is_wanted =
        isatty(STDERR_FILENO) && !isatty(fd) && terminal && strcmp(terminal, "dumb") != 0;
}

static int terminal_width(void)
{
    struct winsize size;

    if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) < 0 || size.ws_col == 0)
        return 80;
    return size.ws_col;
}

/* "1.2 GiB of 4 GiB, 800 MiB/s" */
static void describe(const struct progress *progress, int64_t time, char *text, size_t size)
{
    char done[SIZE_TEXT_MAX];
    char total[SIZE_TEXT_MAX];
    char rate[SIZE_TEXT_MAX];
    double seconds = (double)(time - progress->started) / NANOSECONDS;
    bool is_known = progress->total != PROGRESS_TOTAL_UNKNOWN;

    snprintf(text, size, "%s%s%s, %s/s", size_format(done, progress->done), is_known ? " of " : "",
             is_known ? size_format(total, progress->total) : "",
             size_format(rate, (uint64_t)((double)progress->done / seconds)));
}

static void draw_bar(const struct progress *progress, int columns)
{
    static const char full[] = "##############################";
    static const char empty[] = "------------------------------";
    double part = progress->total ? (double)progress->done / (double)progress->total : 1;
    int filled = (int)((part < 1 ? part : 1) * columns);

    fprintf(stderr, "[%.*s%.*s] ", filled, full, columns - filled, empty);
}

static void draw(const struct progress *progress, int64_t time)
{
    char text[4 * SIZE_TEXT_MAX];
    char *what = text_escape(progress->what, strlen(progress->what), TEXT_READABLE);
    int width = terminal_width();
    int bar = width - 44 < BAR_MAX ? width - 44 : BAR_MAX;
    int room;

    describe(progress, time, text, sizeof(text));
    fputs("\r", stderr);
    if (progress->total == PROGRESS_TOTAL_UNKNOWN || bar < 5)
        bar = 0;
    else
        draw_bar(progress, bar);
    fprintf(stderr, "%.*s", width - 1, text);
    /* What room is left shows the key, if all of it fits. */
    room = width - 1 - (bar ? bar + 3 : 0) - (int)strlen(text) - 2;
    if (what && room > 0 && strlen(what) <= (size_t)room)
        fprintf(stderr, "  %s", what);
    fputs("\033[K", stderr);
    fflush(stderr);
    free(what);
}

void progress_add(struct progress *progress, uint64_t bytes)
{
    int64_t time;

    progress->done += bytes;
    if (!progress->is_wanted)
        return;
    time = now();
    if (time - progress->started < FIRST_AFTER || time - progress->shown < NEXT_AFTER)
        return;
    draw(progress, time);
    progress->shown = time;
}

void progress_finish(struct progress *progress)
{
    if (progress->shown)
        fputs("\r\033[K", stderr);
    progress->shown = 0;
}
