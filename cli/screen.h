/* The terminal as a screen. At most one at a time, as there is one terminal. */
#ifndef MEMSTORE_CLI_SCREEN_H
#define MEMSTORE_CLI_SCREEN_H

#include "top_lines.h"

/* What the user, or somebody else, wants. */
enum screen_wish {
    SCREEN_NOTHING, /* the time has come */
    SCREEN_DRAW,    /* the terminal has another size */
    SCREEN_QUIT,
    SCREEN_BY_SIZE,
    SCREEN_BY_RATE,
    SCREEN_BY_NAME,
    SCREEN_UP,
    SCREEN_DOWN,
    SCREEN_PAGE_UP,
    SCREEN_PAGE_DOWN,
    SCREEN_TOP,
    SCREEN_END,
};

/* Takes the terminal. -ENOTTY: it is none that one can write to in places. */
int screen_init(void);

/* Gives the terminal back as it was. If a signal ended the screen it then ends the process. */
void screen_finish(void);

/* Characters and lines. */
void screen_size(int *ret_width, int *ret_height);

/* Draws: first screen_clear, then each line, then screen_show. */
void screen_clear(void);
line_emit screen_line;
void screen_show(void);

/* Waits for a key, another size or a signal that ends us (SCREEN_QUIT), so long at most. */
enum screen_wish screen_wait(int milliseconds);

#endif
