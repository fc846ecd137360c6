/* Messages for the administrator on stderr, in the form that journald reads ("<6>text"); on a
 * terminal without the level. One line each. */
#ifndef MEMSTORED_LOG_H
#define MEMSTORED_LOG_H

void log_error(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_warning(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_info(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
