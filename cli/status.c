#include "status.h"

#include "client/memstore.h"
#include "text.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum status status_of_store(int error)
{
    switch (-error) {
    case 0:
        return STATUS_DONE;
    case ENXIO: /* the bucket was dropped */
        return STATUS_MISSING;
    case EDQUOT:
    case ENOSPC:
    case ENOMEM:
        return STATUS_FULL;
    case ENOENT:
    case ENOTDIR:
    case EACCES:
    case EPERM:
    case ECONNREFUSED:
    case ECONNRESET:
    case ETIMEDOUT:
    case EUSERS:
        return STATUS_UNREACHABLE;
    default:
        return STATUS_FAILED;
    }
}

enum status status_of_key(int error)
{
    return error == -ENOENT ? STATUS_MISSING : status_of_store(error);
}

const char *status_message(int error)
{
    const char *message = memstore_message();

    return *message ? message : memstore_strerror(error);
}

/* Keys and file names may hold anything; what is shown must neither break the line nor reach the
 * terminal as a command. */
static void complain_text(const char *text, const char *command)
{
    char *shown = text_escape(text, strlen(text), TEXT_READABLE);

    fprintf(stderr, "memstore: %s", shown ? shown : "out of memory");
    if (command)
        fprintf(stderr, " (see 'memstore %s%s--help')", command, *command ? " " : "");
    fputc('\n', stderr);
    free(shown);
}

__attribute__((format(printf, 1, 0))) static void
complain_arguments(const char *format, va_list arguments, const char *command)
{
    char *text;

    if (vasprintf(&text, format, arguments) < 0) {
        complain_text("out of memory", NULL);
        return;
    }
    complain_text(text, command);
    free(text);
}

void complain_list(const char *format, va_list arguments)
{
    complain_arguments(format, arguments, NULL);
}

void complain(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    complain_list(format, arguments);
    va_end(arguments);
}

enum status complain_store(int error)
{
    complain("%s", status_message(error));
    return status_of_store(error);
}

enum status complain_key(int error)
{
    complain("%s", status_message(error));
    return status_of_key(error);
}

enum status complain_usage(const char *command, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    complain_arguments(format, arguments, command);
    va_end(arguments);
    return STATUS_USAGE;
}
