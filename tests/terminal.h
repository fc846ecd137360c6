/* A program on a terminal of its own, and what that shows: a small VT100. */
#ifndef MEMSTORE_TESTS_TERMINAL_H
#define MEMSTORE_TESTS_TERMINAL_H

#include <stdbool.h>
#include <sys/types.h>
#include <termios.h>

#define TERMINAL_MOST 200 /* lines and columns */

struct terminal {
    int fd;
    pid_t pid;
    struct termios before; /* how the terminal was set when it began */
    int width;
    int height;
    char cells[TERMINAL_MOST][TERMINAL_MOST + 1];
    int row, column;
    int first, last; /* lines of the part that scrolls */
    bool wraps;      /* the next character goes to the next line */
    char escape[64];
    int escape_length; /* of a sequence that is not complete; 0: there is none */
    char shown[TERMINAL_MOST * (TERMINAL_MOST + 1) + 1];
};

/* Runs a shell command there, with these lines and columns. */
void terminal_start(struct terminal *terminal, int width, int height, const char *command);

/* Types keys. */
void terminal_type(struct terminal *terminal, const char *keys);

/* Gives it another size, of which the program is told. */
void terminal_resize(struct terminal *terminal, int width, int height);

/* Waits until what is shown has this text, or has it not; fails the test after 10 s. */
void terminal_await(struct terminal *terminal, const char *text);
void terminal_await_gone(struct terminal *terminal, const char *text);

/* Waits until line number `row` begins with this text. */
void terminal_await_line(struct terminal *terminal, int row, const char *text);

/* Waits for the end of the program, and expects the terminal to be set as it was before. Returns
 * the status as of waitpid. */
int terminal_finish(struct terminal *terminal);

#endif
