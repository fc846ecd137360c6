#include "size.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

int size_parse(const char *text, uint64_t *ret_size)
{
    static const char units[] = "KMG";
    const char *unit;
    uint64_t size = 0;
    int shift = 0;

    if (!isdigit((unsigned char)*text))
        return -EINVAL;
    for (; isdigit((unsigned char)*text); text++) {
        uint64_t digit = (uint64_t)(*text - '0');

        if (size > ((uint64_t)INT64_MAX - digit) / 10)
            return -ERANGE;
        size = size * 10 + digit;
    }
    if (*text) {
        unit = strchr(units, toupper((unsigned char)*text));
        if (!unit || text[1])
            return -EINVAL;
        shift = 10 * (int)(unit - units + 1);
    }
    if (size > (uint64_t)INT64_MAX >> shift)
        return -ERANGE;
    *ret_size = size << shift;
    return 0;
}

char *size_format(char text[SIZE_TEXT_MAX], uint64_t size)
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    double scaled = (double)size;
    size_t unit = 0;

    while (scaled >= 1024 && unit + 1 < sizeof(units) / sizeof(units[0])) {
        scaled /= 1024;
        unit++;
    }
    if (unit == 0)
        snprintf(text, SIZE_TEXT_MAX, "%u B", (unsigned)size);
    else
        snprintf(text, SIZE_TEXT_MAX, scaled < 10 ? "%.3g %s" : "%.4g %s", scaled, units[unit]);
    return text;
}
