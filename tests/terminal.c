#include "tests/terminal.h"

#include "tests/harness.h"

#include <check.h>
#include <errno.h>
#include <poll.h>
#include <pty.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- what the program writes ---- */

static void clear_row(struct terminal *terminal, int row, int from)
{
    memset(terminal->cells[row] + from, ' ', (size_t)(TERMINAL_MOST - from));
}

/* Moves lines of the part that scrolls, from one place in it to another. */
static void move_rows(struct terminal *terminal, int from, int to)
{
    memmove(terminal->cells[to], terminal->cells[from],
            sizeof(terminal->cells[0]) * (size_t)(terminal->last - terminal->first));
}

static void line_feed(struct terminal *terminal)
{
    if (terminal->row != terminal->last) {
        terminal->row += terminal->row + 1 < terminal->height;
        return;
    }
    move_rows(terminal, terminal->first + 1, terminal->first);
    clear_row(terminal, terminal->last, 0);
}

static void line_feed_back(struct terminal *terminal)
{
    if (terminal->row != terminal->first) {
        terminal->row -= terminal->row > 0;
        return;
    }
    move_rows(terminal, terminal->first, terminal->first + 1);
    clear_row(terminal, terminal->first, 0);
}

/* As on a VT100, a character in the last column leaves the cursor there until the next one. */
static void put_character(struct terminal *terminal, char character)
{
    if (terminal->wraps) {
        terminal->wraps = false;
        terminal->column = 0;
        line_feed(terminal);
    }
    terminal->cells[terminal->row][terminal->column] = character;
    if (terminal->column + 1 < terminal->width)
        terminal->column++;
    else
        terminal->wraps = true;
}

static void put_control(struct terminal *terminal, char character)
{
    if (character == '\r')
        terminal->column = 0;
    else if (character == '\n')
        line_feed(terminal);
    else if (character == '\b' && terminal->column > 0)
        terminal->column--;
    else if (character == '\t')
        terminal->column = terminal->column / 8 * 8 + 8;
    else
        return; /* padding, character sets */
    if (terminal->column >= terminal->width)
        terminal->column = terminal->width - 1;
    terminal->wraps = false;
}

static int between(int number, int least, int most)
{
    return number < least ? least : number > most ? most : number;
}

static void clear_below(struct terminal *terminal)
{
    clear_row(terminal, terminal->row, terminal->column);
    for (int row = terminal->row + 1; row < terminal->height; row++)
        clear_row(terminal, row, 0);
}

/* ESC [ a ; b letter */
static void do_sequence(struct terminal *terminal, int a, int b, char letter)
{
    int times = a > 0 ? a : 1;

    terminal->wraps = false;
    switch (letter) {
    case 'H':
        terminal->row = between(a - 1, 0, terminal->height - 1);
        terminal->column = between(b - 1, 0, terminal->width - 1);
        break;
    case 'A':
        terminal->row = between(terminal->row - times, 0, terminal->height - 1);
        break;
    case 'B':
        terminal->row = between(terminal->row + times, 0, terminal->height - 1);
        break;
    case 'C':
        terminal->column = between(terminal->column + times, 0, terminal->width - 1);
        break;
    case 'D':
        terminal->column = between(terminal->column - times, 0, terminal->width - 1);
        break;
    case 'J':
        clear_below(terminal);
        break;
    case 'K':
        if (a == 1)
            memset(terminal->cells[terminal->row], ' ', (size_t)terminal->column + 1);
        else
            clear_row(terminal, terminal->row, terminal->column);
        break;
    case 'r':
        terminal->first = between(a - 1, 0, terminal->height - 1);
        terminal->last = between(b > 0 ? b - 1 : terminal->height, 0, terminal->height - 1);
        terminal->row = terminal->column = 0;
        break;
    case 'm': /* looks and modes */
    case 'h':
    case 'l':
        break;
    default:
        ck_abort_msg("a sequence that this terminal does not know: %s", terminal->escape);
    }
}

static bool is_complete(const char *escape, int length)
{
    if (length < 2)
        return false;
    if (escape[1] == '(' || escape[1] == ')')
        return length == 3;
    return escape[1] != '[' || (length > 2 && escape[length - 1] >= '@');
}

static void put_escape(struct terminal *terminal, char character)
{
    int a = 0, b = 0;

    ck_assert_int_lt(terminal->escape_length, (int)sizeof(terminal->escape) - 1);
    terminal->escape[terminal->escape_length++] = character;
    terminal->escape[terminal->escape_length] = '\0';
    if (!is_complete(terminal->escape, terminal->escape_length))
        return;
    terminal->escape_length = 0;
    if (terminal->escape[1] == '[') {
        sscanf(terminal->escape + 2, "%d;%d", &a, &b);
        do_sequence(terminal, a, b, character);
    } else if (terminal->escape[1] == 'M') {
        line_feed_back(terminal);
    }
}

static void show(struct terminal *terminal, char character)
{
    if (terminal->escape_length > 0 || character == '\033')
        put_escape(terminal, character);
    else if ((unsigned char)character < ' ')
        put_control(terminal, character);
    else
        put_character(terminal, character);
}

/* ---- the program ---- */

/* Shows what has been written, after a moment at most. False: the program has ended. */
static bool take(struct terminal *terminal)
{
    struct pollfd wait = {.fd = terminal->fd, .events = POLLIN};
    char bytes[4096];
    ssize_t size;

    if (poll(&wait, 1, 20) <= 0)
        return true;
    size = read(terminal->fd, bytes, sizeof(bytes));
    for (ssize_t i = 0; i < size; i++)
        show(terminal, bytes[i]);
    return size > 0;
}

static void set_size(struct terminal *terminal, int width, int height)
{
    terminal->width = width;
    terminal->height = height;
    terminal->first = 0;
    terminal->last = height - 1;
}

void terminal_start(struct terminal *terminal, int width, int height, const char *command)
{
    struct winsize size = {.ws_row = (unsigned short)height, .ws_col = (unsigned short)width};

    *terminal = (struct terminal){0};
    set_size(terminal, width, height);
    for (int row = 0; row < TERMINAL_MOST; row++)
        clear_row(terminal, row, 0);
    terminal->pid = forkpty(&terminal->fd, NULL, NULL, &size);
    ck_assert_int_ge(terminal->pid, 0);
    if (terminal->pid == 0) {
        setenv("TERM", "vt100", 1);
        setenv("NCURSES_NO_PADDING", "1", 1);
        execl("/bin/sh", "sh", "-c", command, NULL);
        _exit(127);
    }
    ck_assert_int_eq(tcgetattr(terminal->fd, &terminal->before), 0);
}

void terminal_type(struct terminal *terminal, const char *keys)
{
    ck_assert_int_eq(write(terminal->fd, keys, strlen(keys)), (ssize_t)strlen(keys));
}

void terminal_resize(struct terminal *terminal, int width, int height)
{
    struct winsize size = {.ws_row = (unsigned short)height, .ws_col = (unsigned short)width};

    /* What was outside may come into sight, and is to be drawn. */
    for (int row = 0; row < TERMINAL_MOST; row++)
        clear_row(terminal, row, 0);
    terminal->row = terminal->column = 0;
    terminal->wraps = false;
    set_size(terminal, width, height);
    ck_assert_int_eq(ioctl(terminal->fd, TIOCSWINSZ, &size), 0);
}

static const char *all_lines(struct terminal *terminal)
{
    size_t length = 0;

    for (int row = 0; row < terminal->height; row++)
        length += (size_t)sprintf(terminal->shown + length, "%.*s\n", terminal->width,
                                  terminal->cells[row]);
    return terminal->shown;
}

static bool is_shown(struct terminal *terminal, int row, const char *text)
{
    if (row < 0)
        return strstr(all_lines(terminal), text) != NULL;
    return strncmp(terminal->cells[row], text, strlen(text)) == 0;
}

/* In any line, if the row is -1. */
static void await(struct terminal *terminal, int row, const char *text, bool is_there)
{
    int64_t deadline = harness_now() + (int64_t)(1000 * harness_seconds(10));

    while (is_shown(terminal, row, text) != is_there) {
        ck_assert_msg(take(terminal), "the program has ended without '%s':\n%s", text,
                      all_lines(terminal));
        ck_assert_msg(harness_now() < deadline, "'%s' is %s:\n%s", text,
                      is_there ? "not shown" : "still there", all_lines(terminal));
    }
}

void terminal_await(struct terminal *terminal, const char *text)
{
    await(terminal, -1, text, true);
}

void terminal_await_gone(struct terminal *terminal, const char *text)
{
    await(terminal, -1, text, false);
}

void terminal_await_line(struct terminal *terminal, int row, const char *text)
{
    await(terminal, row, text, true);
}

int terminal_finish(struct terminal *terminal)
{
    struct termios after;
    int status;

    while (take(terminal))
        ;
    ck_assert_int_eq(waitpid(terminal->pid, &status, 0), terminal->pid);
    ck_assert_int_eq(tcgetattr(terminal->fd, &after), 0);
    ck_assert_uint_eq(after.c_lflag, terminal->before.c_lflag);
    ck_assert_uint_eq(after.c_iflag, terminal->before.c_iflag);
    ck_assert_uint_eq(after.c_oflag, terminal->before.c_oflag);
    close(terminal->fd);
    return status;
}
