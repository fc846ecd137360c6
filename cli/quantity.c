#include "quantity.h"

#include <stddef.h>
#include <stdio.h>

char *quantity_format(char text[QUANTITY_TEXT_MAX], double number)
{
    static const char units[] = "kMGTP";
    size_t unit = 0;

    if (number < 99999.5) {
        /* Whole numbers as such, and fractions where they tell something. */
        snprintf(text, QUANTITY_TEXT_MAX,
                 number < 9.95 && number > (double)(int)number ? "%.1f" : "%.0f", number);
        return text;
    }
    for (number /= 1000; number >= 999.5 && units[unit + 1]; unit++)
        number /= 1000;
    snprintf(text, QUANTITY_TEXT_MAX, "%.*f%c", number < 99.95 ? 1 : 0, number, units[unit]);
    return text;
}
