#include "key.h"

#include <string.h>

struct key key_of_argument(const char *argument)
{
    static const char scheme[] = "memory://";
    struct key key = {.bytes = argument};

    if (strncmp(argument, scheme, sizeof(scheme) - 1) == 0)
        key.bytes += sizeof(scheme) - 1;
    key.length = strlen(key.bytes);
    return key;
}
