#include "tests/shell.h"

#include <check.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct harness_daemon *the_daemon;

char *output_of(int status, const char *format, ...)
{
    char *command;
    char *output;
    va_list arguments;
    int got;

    va_start(arguments, format);
    ck_assert_int_ge(vasprintf(&command, format, arguments), 0);
    va_end(arguments);
    got = harness_shell(the_daemon, &output, "cd %s && { %s\n}", harness_folder, command);
    ck_assert_msg(got == status, "%s: exit status %d, not %d:\n%s", command, got, status, output);
    free(command);
    return output;
}

void expect(int status, const char *expected, const char *command)
{
    char *output = output_of(status, "%s", command);

    ck_assert_msg(strcmp(output, expected) == 0, "%s: wrote\n%s\nand not\n%s", command, output,
                  expected);
    free(output);
}

void expect_error(int status, const char *command, ...)
{
    char *output = output_of(status, "%s", command);
    char *newline = strchr(output, '\n');
    const char *word;
    va_list words;

    ck_assert_msg(strncmp(output, "memstore: ", 10) == 0, "%s: %s", command, output);
    ck_assert_msg(newline && newline[1] == '\0', "%s: not one line: %s", command, output);
    va_start(words, command);
    while ((word = va_arg(words, const char *)))
        ck_assert_msg(strstr(output, word), "%s: no '%s' in: %s", command, word, output);
    va_end(words);
    free(output);
}

json_t *json_of(const char *command)
{
    char *output = output_of(0, "%s", command);
    json_error_t error;
    json_t *value = json_loads(output, 0, &error);

    ck_assert_msg(value, "%s: %s in:\n%s", command, error.text, output);
    free(output);
    return value;
}

const char *text_in(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));

    ck_assert_msg(text, "no text %s", name);
    return text;
}

json_int_t number_in(const json_t *object, const char *name)
{
    const json_t *number = json_object_get(object, name);

    ck_assert_msg(json_is_integer(number), "no number %s", name);
    return json_integer_value(number);
}
