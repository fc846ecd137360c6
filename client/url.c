#include "handle.h"
#include "message.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int memstore_url(const void *key, size_t key_length, uint64_t expires_in, char **ret_url,
                 size_t *ret_length)
{
    static const char scheme[] = "memory://";
    const size_t before = sizeof(scheme) - 1;
    char *url;
    int r = key_check(key, key_length);

    (void)expires_in;
    if (r < 0)
        return r;
    url = malloc(before + key_length + 1);
    if (!url)
        return message_fail(-ENOMEM, "out of memory");
    memcpy(url, scheme, before);
    if (key_length > 0)
        memcpy(url + before, key, key_length);
    url[before + key_length] = '\0';
    *ret_url = url;
    if (ret_length)
        *ret_length = before + key_length;
    return 0;
}
