#include "log.h"

#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <syslog.h>
#include <unistd.h>

__attribute__((format(printf, 2, 0))) /* Short enough for a pipe to take it whole. */
#define LINE_MAX_BYTES 1024

__attribute__((format(printf, 2, 0))) static void
log_line(int level, const char *format, va_list arguments)
{
    struct pollfd writable = {.fd = STDERR_FILENO, .events = POLLOUT};
    char text[LINE_MAX_BYTES];
    int length;

    if (isatty(STDERR_FILENO))
        length = snprintf(text, sizeof(text), "memstored: ");
    else
        length = snprintf(text, sizeof(text), "<%d>", level);
    length += vsnprintf(text + length, sizeof(text) - (size_t)length - 1, format, arguments);
    if (length > (int)sizeof(text) - 2)
        length = (int)sizeof(text) - 2;
    text[length++] = '\n';
    /* Whoever reads may be slow, or gone: the daemon waits for nobody, and a line is lost. */
    if (poll(&writable, 1, 0) > 0 && write(STDERR_FILENO, text, (size_t)length) < 0)
        return;
}

#define LOG_AT(level)                       \
    do {                                    \
        va_list arguments;                  \
        va_start(arguments, format);        \
        log_line(level, format, arguments); \
        va_end(arguments);                  \
    } while (0)

void log_error(const char *format, ...)
{
    LOG_AT(LOG_ERR);
}

void log_warning(const char *format, ...)
{
    LOG_AT(LOG_WARNING);
}

void log_info(const char *format, ...)
{
    LOG_AT(LOG_INFO);
}
