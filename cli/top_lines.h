/* The lines of top, as text: for a screen, and for whoever reads them elsewhere. */
#ifndef MEMSTORE_CLI_TOP_LINES_H
#define MEMSTORE_CLI_TOP_LINES_H

#include "picture.h"

enum line_style {
    LINE_PLAIN,
    LINE_TITLE,
    LINE_HEADING, /* of a table */
    LINE_ALARM,
};

/* Takes one line. It is no longer than the view is wide. */
typedef void line_emit(void *context, enum line_style style, const char *text);

#define LINES_WIDTH_MAX 400

/* What of a picture is to be seen. */
struct top_view {
    int width;           /* in characters */
    int height;          /* in lines; 0: all, without the line of keys */
    size_t scroll;       /* buckets above those that are shown; lines_emit cuts it to what can be */
    const char *problem; /* why the picture is an old one; NULL: it is not */
};

/* The width at which all columns are there, and the longest name. */
int lines_full_width(const struct picture *picture);

/* Writes the lines from the top down, at most as many as the view is high. */
void lines_emit(const struct picture *picture, struct top_view *view, line_emit *emit,
                void *context);

#endif
