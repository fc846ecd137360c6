#include "bench/keys.h"

#include "bench/run.h"
#include "bench/zipf.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define USED_MAX 65536        /* keys of small objects: two thirds of a million's pages */
#define SET_BYTES (64U << 20) /* of a set of one size: beyond what a core's own cache holds */
#define SET_MAX 1000
#define DRAWN (1U << 20) /* keys that are drawn before the start, for all processes of a group */
#define ZIPF_EXPONENT 0.99

uint64_t keys_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

struct key key_of_object(char set, uint64_t number)
{
    char text[KEY_BYTES + 1];
    struct key key;

    /* An odd factor maps 60 bits onto 60 bits, one to one. */
    snprintf(text, sizeof(text), "%c%015llx", set,
             (unsigned long long)(number * 0x9e3779b97f4a7c15ULL & ((1ULL << 60) - 1)));
    memcpy(key.bytes, text, KEY_BYTES);
    return key;
}

/* Sets of one size have zeros there. */
struct key key_in_batch(const struct key *key, unsigned index)
{
    struct key one = *key;

    one.bytes[1] = (char)('0' + index / 10);
    one.bytes[2] = (char)('0' + index % 10);
    return one;
}

struct key key_twin(const struct key *key)
{
    struct key twin = *key;

    twin.bytes[0] ^= 'a' ^ 'A';
    return twin;
}

struct keys keys_of_objects(uint64_t objects)
{
    struct keys keys = {.count = objects < USED_MAX ? objects : USED_MAX};
    uint64_t state = 88172645463325252ULL;

    keys.list = run_allocate(keys.count * sizeof(*keys.list));
    for (size_t i = 0; i < keys.count; i++)
        keys.list[i] = key_of_object(SET_SMALL, keys_random(&state) % objects);
    return keys;
}

struct keys keys_of_size(char set, uint32_t size)
{
    struct keys keys = {.count = SET_BYTES / size < SET_MAX ? SET_BYTES / size : SET_MAX};
    char text[KEY_BYTES + 1];

    keys.list = run_allocate(keys.count * sizeof(*keys.list));
    for (size_t i = 0; i < keys.count; i++) {
        snprintf(text, sizeof(text), "%c%08x%07x", set, (unsigned)size, (unsigned)i);
        memcpy(keys.list[i].bytes, text, KEY_BYTES);
    }
    return keys;
}

struct keys keys_zipfian(char set, uint64_t objects)
{
    struct keys keys = {.count = DRAWN};
    uint64_t state = 88172645463325252ULL;
    struct zipf zipf;

    zipf_init(&zipf, objects, ZIPF_EXPONENT);
    keys.list = run_allocate(keys.count * sizeof(*keys.list));
    for (size_t i = 0; i < keys.count; i++) {
        double uniform = (double)(keys_random(&state) >> 11) / (double)(1ULL << 53);

        keys.list[i] = key_of_object(set, zipf_scramble(zipf_number(&zipf, uniform), objects));
    }
    return keys;
}

void keys_finish(struct keys *keys)
{
    free(keys->list);
    *keys = (struct keys){0};
}

const char *keys_value(void)
{
    static uint64_t *words;
    uint64_t state = 1442695040888963407ULL;

    if (!words) {
        words = run_allocate(LARGEST);
        for (size_t i = 0; i < LARGEST / sizeof(*words); i++)
            words[i] = keys_random(&state);
    }
    return (const char *)words;
}
