#include "duration.h"

#include "client/memstore.h"

#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct unit {
    const char *name;
    int64_t milliseconds;
} units[] = {
    {"d", 86400000}, {"h", 3600000}, {"m", 60000}, {"s", 1000}, {"ms", 1}, {"", 1000},
};

static const struct unit *unit_find(const char *name)
{
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        if (strcmp(units[i].name, name) == 0)
            return &units[i];
    }
    return NULL;
}

int duration_parse(const char *text, int64_t *ret_milliseconds)
{
    size_t digits = strspn(text, "0123456789.");
    const struct unit *unit = unit_find(text + digits);
    double milliseconds;
    char *end;

    if (digits == 0 || !unit)
        return -EINVAL;
    milliseconds = strtod(text, &end) * (double)unit->milliseconds;
    if (end != text + digits) /* two points, or only one */
        return -EINVAL;
    if (milliseconds > (double)MEMSTORE_TTL_MAX)
        return -ERANGE;
    *ret_milliseconds = milliseconds > 0 && milliseconds < 1 ? 1 : (int64_t)(milliseconds + 0.5);
    return 0;
}

char *duration_format(char text[DURATION_TEXT_MAX], int64_t milliseconds)
{
    const struct unit *unit = units;

    while (milliseconds % unit->milliseconds != 0)
        unit++;
    snprintf(text, DURATION_TEXT_MAX, "%" PRId64 "%s", milliseconds / unit->milliseconds,
             unit->name);
    return text;
}
