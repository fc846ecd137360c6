#include "bench/report_format.h"

#include <stdio.h>

/* Characters on the screen: bytes that do not continue one. */
static int width_of(const char *text)
{
    int width = 0;

    for (; *text; text++)
        width += (*text & 0xc0) != 0x80;
    return width;
}

void print_right(const char *text, int width)
{
    printf("%*s%s", width - width_of(text) > 0 ? width - width_of(text) : 1, "", text);
}

void format_number(double number, const char *unit, char *text, size_t size)
{
    int digits = number >= 99.95 ? 0 : number >= 9.995 ? 1 : 2;

    snprintf(text, size, "%.*f%s", digits, number, unit);
}

static void format_time(double ns, char *text, size_t size)
{
    if (ns >= (double)MILLISECOND_NS)
        format_number(ns / (double)MILLISECOND_NS, " ms", text, size);
    else
        format_number(ns / (double)MICROSECOND_NS, " µs", text, size);
}

static void format_rate(double per_second, char *text, size_t size)
{
    if (per_second >= 1e6)
        format_number(per_second / 1e6, " M/s", text, size);
    else
        format_number(per_second / 1e3, " k/s", text, size);
}

static void format_bytes(double bytes, char *text, size_t size)
{
    if (bytes >= MIB)
        format_number(bytes / MIB, " MiB", text, size);
    else if (bytes >= 10 * KIB)
        format_number(bytes / KIB, " KiB", text, size);
    else
        format_number(bytes, " B", text, size);
}

void format_sample(const struct row *row, double sample, char *text, size_t size)
{
    switch (row_unit(row)) {
    case UNIT_TIME:
        format_time(sample, text, size);
        break;
    case UNIT_RATE:
        format_rate(sample, text, size);
        break;
    case UNIT_BYTES:
        format_bytes(sample, text, size);
        break;
    case UNIT_PERCENT:
        format_number(sample, " %", text, size);
        break;
    }
}
