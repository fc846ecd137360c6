#include "top.h"

#include "arguments.h"
#include "picture.h"
#include "screen.h"
#include "top_json.h"
#include "top_lines.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

struct top {
    struct memstore *store;
    enum picture_order order;
    int interval_ms;
    struct sample samples[2]; /* the one that is shown, and the other */
    int shown;
    struct picture picture;
    struct top_view view;
    char problem[LINES_WIDTH_MAX + 1];
};

/* ---- what is shown ---- */

static int redo_picture(struct top *top, const struct sample *before, const struct sample *sample)
{
    struct picture picture;
    int error = picture_init(&picture, before, sample);

    if (error)
        return error;
    picture_finish(&top->picture);
    top->picture = picture;
    picture_sort(&top->picture, top->order);
    return 0;
}

/* Looks at the store again. After an error what was seen last stays. */
static int look(struct top *top)
{
    struct sample *other = &top->samples[!top->shown];
    int error;

    /* The one before the last is of no use any more. */
    sample_finish(other);
    error = sample_take(other, top->store);
    if (!error)
        error = redo_picture(top, &top->samples[top->shown], other);
    if (!error)
        top->shown = !top->shown;
    return error;
}

static void top_finish(struct top *top)
{
    picture_finish(&top->picture);
    sample_finish(&top->samples[0]);
    sample_finish(&top->samples[1]);
}

/* ---- once ---- */

static void print_line(void *context, enum line_style style, const char *text)
{
    (void)context;
    (void)style;
    puts(text);
}

static enum status show_once(struct top *top, bool is_json)
{
    const struct timespec pause = {.tv_sec = top->interval_ms / 1000,
                                   .tv_nsec = top->interval_ms % 1000 * 1000000L};
    int error;

    nanosleep(&pause, NULL);
    error = look(top);
    if (error)
        return complain_store(error);
    if (is_json)
        return top_json(&top->picture);
    top->view.width = lines_full_width(&top->picture);
    lines_emit(&top->picture, &top->view, print_line, NULL);
    return STATUS_DONE;
}

/* ---- live ---- */

static void draw(struct top *top)
{
    screen_size(&top->view.width, &top->view.height);
    top->view.problem = *top->problem ? top->problem : NULL;
    screen_clear();
    lines_emit(&top->picture, &top->view, screen_line, NULL);
    screen_show();
}

static void sort(struct top *top, enum picture_order order)
{
    top->order = order;
    picture_sort(&top->picture, order);
}

static void scroll(struct top *top, long long lines)
{
    long long now = (long long)top->view.scroll + lines;

    top->view.scroll = now > 0 ? (size_t)now : 0;
}

static void fulfil(struct top *top, enum screen_wish wish)
{
    switch (wish) {
    case SCREEN_BY_SIZE:
        sort(top, PICTURE_BY_SIZE);
        break;
    case SCREEN_BY_RATE:
        sort(top, PICTURE_BY_RATE);
        break;
    case SCREEN_BY_NAME:
        sort(top, PICTURE_BY_NAME);
        break;
    case SCREEN_UP:
        scroll(top, -1);
        break;
    case SCREEN_DOWN:
        scroll(top, 1);
        break;
    case SCREEN_PAGE_UP:
        scroll(top, -top->view.height / 2);
        break;
    case SCREEN_PAGE_DOWN:
        scroll(top, top->view.height / 2);
        break;
    case SCREEN_TOP:
        top->view.scroll = 0;
        break;
    case SCREEN_END:
        top->view.scroll = top->picture.row_count;
        break;
    default:
        break;
    }
}

/* A daemon that goes away is waited for, and what was seen last stays meanwhile. */
static void look_again(struct top *top)
{
    int error = look(top);

    *top->problem = '\0';
    if (error)
        snprintf(top->problem, sizeof(top->problem), "no answer: %s", status_message(error));
}

static int64_t milliseconds_now(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * INT64_C(1000) + time.tv_nsec / 1000000;
}

static void run_live(struct top *top)
{
    enum screen_wish wish = SCREEN_NOTHING;
    int64_t next = milliseconds_now() + top->interval_ms;

    while (wish != SCREEN_QUIT) {
        int64_t left = next - milliseconds_now();

        draw(top);
        wish = screen_wait(left > 0 ? (int)left : 0);
        if (wish != SCREEN_NOTHING) {
            fulfil(top, wish);
            continue;
        }
        look_again(top);
        next = milliseconds_now() + top->interval_ms;
    }
}

static enum status show_live(struct top *top)
{
    int error = screen_init();

    if (error) {
        complain("this terminal shows no screen (TERM is not set to its kind): use --once");
        return STATUS_FAILED;
    }
    run_live(top);
    screen_finish();
    return STATUS_DONE;
}

enum status top_run(struct memstore *store, const struct arguments *arguments)
{
    struct top top = {
        .store = store,
        .order = arguments->order,
        .interval_ms = arguments->interval_ms,
    };
    bool is_live =
        !arguments->is_once && !arguments->is_json && isatty(STDIN_FILENO) && isatty(STDOUT_FILENO);
    int error = look(&top);
    enum status status;

    if (error)
        status = complain_store(error);
    else
        status = is_live ? show_live(&top) : show_once(&top, arguments->is_json);
    top_finish(&top);
    return status;
}
