#include "log.h"

#include <stdarg.h>
#include <stdio.h>
#include <syslog.h>
#include <unistd.h>

__attribute__((format(printf, 2, 0))) static void log_line(int level, const char *format,
                                                           va_list arguments)
{
    char text[1024];

    vsnprintf(text, sizeof(text), format, arguments);
    if (isatty(STDERR_FILENO))
        fprintf(stderr, "memstored: %s\n", text);
    else
        fprintf(stderr, "<%d>%s\n", level, text);
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
