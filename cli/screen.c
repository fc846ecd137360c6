#include "screen.h"

#include <curses.h>
#include <errno.h>
#include <locale.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <term.h>
#include <time.h>
#include <unistd.h>

/* Those that end us, and the one that tells of another size. They come only while we wait, so that
 * none is missed and none comes in the middle of a drawing. */
static const int endings[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};
#define ENDINGS (sizeof(endings) / sizeof(endings[0]))

static volatile sig_atomic_t ending; /* the signal that came */
static sigset_t mask_before;         /* the mask of the process, which is that of the waits */
static struct sigaction actions_before[ENDINGS];
static SCREEN *terminal;
static int next_line;

/* ---- signals ---- */

static void note(int number)
{
    ending = number;
}

static void signals_take(void)
{
    struct sigaction action = {.sa_handler = note};
    sigset_t held;

    sigemptyset(&held);
    sigaddset(&held, SIGWINCH);
    for (size_t i = 0; i < ENDINGS; i++) {
        sigaction(endings[i], NULL, &actions_before[i]);
        if (actions_before[i].sa_handler == SIG_IGN)
            continue;
        sigaddset(&held, endings[i]);
        sigaction(endings[i], &action, NULL);
    }
    sigprocmask(SIG_BLOCK, &held, &mask_before);
}

static void signals_give_back(void)
{
    for (size_t i = 0; i < ENDINGS; i++)
        sigaction(endings[i], &actions_before[i], NULL);
    sigprocmask(SIG_SETMASK, &mask_before, NULL);
}

/* ---- the terminal ---- */

/* Whether ncurses knows the kind of the terminal, and how to move the cursor to a place on it. */
static bool is_known(void)
{
    bool is_fit = false;
    int found;

    if (setupterm(NULL, STDOUT_FILENO, &found) == OK)
        is_fit = tigetstr("cup") != NULL;
    del_curterm(cur_term);
    return is_fit;
}

int screen_init(void)
{
    /* Before ncurses has handlers of its own, which we would put back in the end. */
    signals_take();
    setlocale(LC_CTYPE, "");
    terminal = is_known() ? newterm(NULL, stdout, stdin) : NULL;
    if (!terminal) {
        signals_give_back();
        return -ENOTTY;
    }
    cbreak();
    noecho();
    nodelay(stdscr, TRUE);
    keypad(stdscr, TRUE);
    curs_set(0);
    return 0;
}

void screen_finish(void)
{
    endwin();
    delscreen(terminal);
    signals_give_back();
    if (ending)
        raise(ending);
}

void screen_size(int *ret_width, int *ret_height)
{
    getmaxyx(stdscr, *ret_height, *ret_width);
}

void screen_clear(void)
{
    erase();
    next_line = 0;
}

void screen_line(void *context, enum line_style style, const char *text)
{
    static const attr_t attributes[] = {
        [LINE_PLAIN] = A_NORMAL,
        [LINE_TITLE] = A_BOLD,
        [LINE_HEADING] = A_REVERSE,
        [LINE_ALARM] = A_BOLD | A_REVERSE,
    };

    (void)context;
    attrset(attributes[style]);
    mvaddstr(next_line, 0, text);
    /* A bar goes on to the edge. */
    if (attributes[style] & A_REVERSE)
        for (int left = COLS - (int)strlen(text); left > 0; left--)
            addch(' ');
    next_line++;
}

void screen_show(void)
{
    refresh();
}

/* ---- keys ---- */

static enum screen_wish wish_of(int key)
{
    switch (key) {
    case 'q':
    case 'Q':
        return SCREEN_QUIT;
    case 's':
        return SCREEN_BY_SIZE;
    case 'r':
        return SCREEN_BY_RATE;
    case 'n':
        return SCREEN_BY_NAME;
    case 'k':
    case KEY_UP:
        return SCREEN_UP;
    case 'j':
    case KEY_DOWN:
        return SCREEN_DOWN;
    case 'b':
    case KEY_PPAGE:
        return SCREEN_PAGE_UP;
    case ' ':
    case KEY_NPAGE:
        return SCREEN_PAGE_DOWN;
    case 'g':
    case KEY_HOME:
        return SCREEN_TOP;
    case 'G':
    case KEY_END:
        return SCREEN_END;
    case KEY_RESIZE:
        return SCREEN_DRAW;
    default:
        return SCREEN_NOTHING;
    }
}

/* The next key that means something; SCREEN_NOTHING: there is none. */
static enum screen_wish next_wish(void)
{
    enum screen_wish wish = SCREEN_NOTHING;
    int key = 0;

    while (wish == SCREEN_NOTHING && key != ERR) {
        key = getch();
        wish = wish_of(key);
    }
    return wish;
}

static int64_t milliseconds_now(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * INT64_C(1000) + time.tv_nsec / 1000000;
}

enum screen_wish screen_wait(int milliseconds)
{
    const int64_t deadline = milliseconds_now() + milliseconds;
    enum screen_wish wish = next_wish();

    while (wish == SCREEN_NOTHING && !ending) {
        struct pollfd wait = {.fd = STDIN_FILENO, .events = POLLIN};
        int64_t left = deadline - milliseconds_now();
        struct timespec time = {.tv_sec = left / 1000, .tv_nsec = left % 1000 * 1000000};

        if (left <= 0)
            return SCREEN_NOTHING;
        ppoll(&wait, 1, &time, &mask_before);
        if (wait.revents & ~POLLIN)
            return SCREEN_QUIT; /* there is no terminal any more */
        wish = next_wish();
    }
    return ending ? SCREEN_QUIT : wish;
}
