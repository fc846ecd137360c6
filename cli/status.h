/* How the command ends, and how it says why. */
#ifndef MEMSTORE_CLI_STATUS_H
#define MEMSTORE_CLI_STATUS_H

#include <stdarg.h>

enum status {
    STATUS_DONE = 0,
    STATUS_MISSING = 1,     /* no such key or bucket */
    STATUS_USAGE = 2,       /* the command line makes no sense */
    STATUS_FULL = 3,        /* over quota or out of memory */
    STATUS_UNREACHABLE = 4, /* no daemon, or none that answers in time */
    STATUS_FAILED = 5,      /* anything else */
    STATUS_CONFLICT = 6,    /* a condition failed, a bucket is there, others have the lock */
};

/* The status for an error of the library in which -ENOENT speaks of the socket. */
enum status status_of_store(int error);

/* The status for an error of the library in which -ENOENT speaks of a key. */
enum status status_of_key(int error);

/* What the library says of its last error, which was this one: it names the call and the key. */
const char *status_message(int error);

/* Writes "memstore: …" to stderr, on one line whatever bytes are in it. */
void complain(const char *format, ...) __attribute__((format(printf, 1, 2)));

void complain_list(const char *format, va_list arguments) __attribute__((format(printf, 1, 0)));

/* Complains with the library's words; returns the status. */
enum status complain_store(int error);
enum status complain_key(int error);

/* As complain, with a pointer to the help of a command ("" for none); returns STATUS_USAGE. */
enum status complain_usage(const char *command, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
