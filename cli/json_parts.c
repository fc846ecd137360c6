#include "json_parts.h"

#include "text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum status json_no_memory(void)
{
    complain("out of memory");
    return STATUS_FULL;
}

json_t *json_base64(const void *bytes, size_t length)
{
    char *text = text_base64(bytes, length);
    json_t *value = text ? json_string(text) : NULL;

    free(text);
    return value;
}

int json_set_text(json_t *object, const char *name, const char *base64_name, const char *bytes,
                  size_t length)
{
    if (text_is_utf8(bytes, length))
        return json_object_set_new(object, name, json_stringn(bytes, length));
    return json_object_set_new(object, name, json_null()) ||
           json_object_set_new(object, base64_name, json_base64(bytes, length));
}

int json_set_number(json_t *object, const char *name, uint64_t number)
{
    return json_object_set_new(object, name, json_integer((json_int_t)number));
}

int json_set_limit(json_t *object, const char *name, uint64_t limit)
{
    if (limit == UINT64_MAX)
        return json_object_set_new(object, name, json_null());
    return json_set_number(object, name, limit);
}

int json_set_moment(json_t *object, const char *name, const char *number_name, int64_t moment)
{
    char text[TEXT_MOMENT_MAX];

    return json_object_set_new(object, name, json_string(text_moment(text, moment))) ||
           json_object_set_new(object, number_name, json_integer(moment));
}

bool json_write(json_t *value, size_t flags)
{
    char *text = value ? json_dumps(value, flags) : NULL;
    bool complete = text != NULL;

    if (complete)
        fputs(text, stdout);
    free(text);
    json_decref(value);
    return complete;
}
