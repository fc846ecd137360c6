#include "bucket.h"

#include <errno.h>
#include <stdbool.h>

static bool is_allowed(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '_' || c == '-';
}

int bucket_name_check(const char *name, size_t length)
{
    if (length > BUCKET_NAME_MAX)
        return -ENAMETOOLONG;
    for (size_t i = 0; i < length; i++) {
        if (!is_allowed(name[i]))
            return -EINVAL;
    }
    return length > 0 ? 0 : -EINVAL;
}
