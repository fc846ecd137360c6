#include "message.h"

#include "common/version.h"
#include "memstore.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static _Thread_local char message[1024];

int message_fail(int error, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(message, sizeof(message), format, arguments);
    va_end(arguments);
    /* Paths and the daemon's words are in it: nothing of them shall steer a terminal. */
    for (char *c = message; *c; c++)
        if (iscntrl((unsigned char)*c))
            *c = '?';
    return error;
}

/* The length of the UTF-8 character at the start of the bytes; 0: none, or one that steers. */
static size_t utf8_length(const uint8_t *bytes, size_t available)
{
    size_t length = bytes[0] < 0xc2 ? 0 : bytes[0] < 0xe0 ? 2 : bytes[0] < 0xf0 ? 3 : 4;

    if (length == 0 || bytes[0] > 0xf4 || available < length)
        return 0;
    for (size_t i = 1; i < length; i++)
        if ((bytes[i] & 0xc0) != 0x80)
            return 0;
    if (bytes[0] == 0xc2 && bytes[1] < 0xa0)
        return 0;
    return length;
}

/* Writes the first character of the bytes as people read it. Returns the bytes it took. */
static size_t quote_next(char piece[8], const uint8_t *bytes, size_t available)
{
    uint8_t c = bytes[0];
    size_t length = c < 0x80 ? 0 : utf8_length(bytes, available);

    if (length > 0)
        snprintf(piece, 8, "%.*s", (int)length, (const char *)bytes);
    else if (c == '"' || c == '\\')
        snprintf(piece, 8, "\\%c", c);
    else if (c >= ' ' && c < 0x7f)
        snprintf(piece, 8, "%c", c);
    else
        snprintf(piece, 8, "\\x%02x", c);
    return length > 0 ? length : 1;
}

const char *quote(char text[QUOTED_SIZE], const void *bytes, size_t length)
{
    static const char cut[] = "\"...";
    const uint8_t *rest = bytes;
    size_t used = 0;

    text[used++] = '"';
    while (length > 0) {
        char piece[8];
        size_t taken = quote_next(piece, rest, length);

        if (used + strlen(piece) + sizeof(cut) > QUOTED_SIZE) {
            memcpy(text + used, cut, sizeof(cut));
            return text;
        }
        used = (size_t)(stpcpy(text + used, piece) - text);
        rest += taken;
        length -= taken;
    }
    memcpy(text + used, "\"", 2);
    return text;
}

const char *memstore_message(void)
{
    return message;
}

const char *memstore_strerror(int error)
{
    const char *text;

    switch (error) {
    case 0:
        return "no error";
    case -ENOENT:
        return "no such object";
    case -EEXIST:
        return "it is there already";
    case -ESTALE:
        return "the object is another one";
    case -EALREADY:
        return "the object has not changed";
    case -EOVERFLOW:
        return "the sum is beyond 64 bits";
    case -ENXIO:
        return "the bucket was dropped";
    case -EDQUOT:
        return "a limit of the store or the bucket would be exceeded";
    case -ENOSPC:
        return "the store has no memory left";
    case -ENAMETOOLONG:
        return "key, name or path too long";
    case -EFBIG:
        return "value or list too large";
    case -E2BIG:
        return "content type or metadata too long";
    case -ERANGE:
        return "offset beyond the end of the value";
    case -ETIMEDOUT:
        return "deadline passed";
    case -ECONNREFUSED:
        return "no memstored there";
    case -ECONNRESET:
        return "memstored closed the connection";
    case -EUSERS:
        return "memstored has as many clients as it takes";
    case -EPROTO:
        return "protocol violated";
    case -EPROTONOSUPPORT:
        return "memstored speaks another version of the protocol";
    default:
        text = error > -4096 && error < 0 ? strerrordesc_np(-error) : NULL;
        return text ? text : "unknown error";
    }
}

int out_of_memory(void)
{
    return message_fail(-ENOMEM, "out of memory");
}

const char *memstore_version(void)
{
    return MEMSTORE_VERSION;
}
