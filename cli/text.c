#include "text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* The code point that starts here and its bytes; 0 bytes if this is not UTF-8. */
static size_t utf8_decode(const unsigned char *bytes, size_t length, uint32_t *ret_point)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    size_t size = *bytes < 0x80             ? 1
                  : (*bytes & 0xe0) == 0xc0 ? 2
                  : (*bytes & 0xf0) == 0xe0 ? 3
                  : (*bytes & 0xf8) == 0xf0 ? 4
                                            : 0;
    uint32_t point = size <= 1 ? *bytes : *bytes & (0x7fu >> size);

    if (size == 0 || size > length)
        return 0;
    for (size_t i = 1; i < size; i++) {
        if ((bytes[i] & 0xc0) != 0x80)
            return 0;
        point = point << 6 | (bytes[i] & 0x3f);
    }
    if (point < least[size] || point > 0x10ffff || (point >= 0xd800 && point <= 0xdfff))
        return 0;
    *ret_point = point;
    return size;
}

bool text_is_utf8(const void *bytes, size_t length)
{
    const unsigned char *next = bytes;
    uint32_t point;

    while (length > 0) {
        size_t size = utf8_decode(next, length, &point);

        if (size == 0)
            return false;
        next += size;
        length -= size;
    }
    return true;
}

/* Control characters, and those that turn the direction of what stands around them. */
static bool point_disturbs(uint32_t point)
{
    return point < 0x20 || (point >= 0x7f && point < 0xa0) || point == 0x200e || point == 0x200f ||
           (point >= 0x2028 && point <= 0x202e) || (point >= 0x2066 && point <= 0x2069);
}

static char *byte_escape(char *to, unsigned char byte)
{
    static const char names[] = "n\nt\tr\r";
    static const char digits[] = "0123456789abcdef";

    *to++ = '\\';
    for (const char *name = names; *name; name += 2) {
        if ((unsigned char)name[1] == byte) {
            *to++ = name[0];
            return to;
        }
    }
    *to++ = 'x';
    *to++ = digits[byte >> 4];
    *to++ = digits[byte & 15];
    return to;
}

char *text_escape(const void *bytes, size_t length, enum text_style style)
{
    const unsigned char *from = bytes;
    const unsigned char *end = from + length;
    char *text = malloc(4 * length + 1);
    char *to = text;

    if (!text)
        return NULL;
    while (from < end) {
        uint32_t point = 0;
        size_t size = utf8_decode(from, (size_t)(end - from), &point);

        if (style == TEXT_EXACT && *from == '\\')
            *to++ = '\\';
        if (size > 0 && !point_disturbs(point)) {
            to = mempcpy(to, from, size);
            from += size;
            continue;
        }
        for (size = size ? size : 1; size > 0; size--)
            to = byte_escape(to, *from++);
    }
    *to = '\0';
    return text;
}

char *text_base64(const void *bytes, size_t length)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const unsigned char *from = bytes;
    char *text = malloc((length + 2) / 3 * 4 + 1);
    char *to = text;

    if (!text)
        return NULL;
    for (size_t i = 0; i < length; i += 3) {
        uint32_t group = (uint32_t)from[i] << 16;

        group |= i + 1 < length ? (uint32_t)from[i + 1] << 8 : 0;
        group |= i + 2 < length ? (uint32_t)from[i + 2] : 0;
        *to++ = digits[group >> 18];
        *to++ = digits[group >> 12 & 63];
        *to++ = i + 1 < length ? digits[group >> 6 & 63] : '=';
        *to++ = i + 2 < length ? digits[group & 63] : '=';
    }
    *to = '\0';
    return text;
}

/* Whole seconds, rounded down before 1970 as well, and the microseconds above them. */
static time_t moment_split(int64_t microseconds, long *ret_fraction)
{
    int64_t seconds = microseconds / 1000000;
    int64_t fraction = microseconds % 1000000;

    if (fraction < 0) {
        fraction += 1000000;
        seconds--;
    }
    *ret_fraction = (long)fraction;
    return (time_t)seconds;
}

char *text_moment(char text[TEXT_MOMENT_MAX], int64_t microseconds)
{
    struct tm parts;
    long fraction;
    time_t seconds = moment_split(microseconds, &fraction);
    size_t length;

    gmtime_r(&seconds, &parts);
    length = strftime(text, TEXT_MOMENT_MAX - 10, "%Y-%m-%dT%H:%M:%S", &parts);
    snprintf(text + length, TEXT_MOMENT_MAX - length, ".%06ldZ", fraction);
    return text;
}

char *text_local_moment(char text[TEXT_MOMENT_MAX], int64_t microseconds)
{
    struct tm parts;
    long fraction;
    time_t seconds = moment_split(microseconds, &fraction);

    localtime_r(&seconds, &parts);
    text[strftime(text, TEXT_MOMENT_MAX - 1, "%Y-%m-%d %H:%M:%S", &parts)] = '\0';
    return text;
}
