#include "picture.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static bool is_same_daemon(const struct sample *before, const struct sample *sample)
{
    return before->moment > 0 && before->stats.pid == sample->stats.pid &&
           before->stats.uptime < sample->stats.uptime;
}

/* ---- rates ---- */

static void row_init(struct bucket_row *row, const struct memstore_bucket_info *before,
                     const struct memstore_bucket_info *now, double seconds)
{
    static const struct memstore_bucket_info nothing;

    /* A bucket that was made anew counts from 0. */
    if (!before || before->puts > now->puts || before->hits > now->hits ||
        before->misses > now->misses || before->evicted > now->evicted)
        before = &nothing;
    row->puts = (double)(now->puts - before->puts) / seconds;
    row->hits = (double)(now->hits - before->hits) / seconds;
    row->misses = (double)(now->misses - before->misses) / seconds;
    row->evicted = (double)(now->evicted - before->evicted) / seconds;
}

/* The bucket of that name, NULL if there is none, in a list of which what comes before *place has
 * smaller names. */
static const struct memstore_bucket_info *find(const struct sample *sample, size_t *place,
                                               const char *name)
{
    int order = -1;

    while (*place < sample->bucket_count) {
        order = strcmp(sample->buckets[*place].name, name);
        if (order >= 0)
            break;
        (*place)++;
    }
    return order == 0 ? &sample->buckets[*place] : NULL;
}

static void rates_init(struct picture *picture, const struct sample *before)
{
    const struct sample *sample = picture->sample;
    size_t place = 0;

    picture->seconds = (double)(sample->moment - before->moment) / 1e9;
    picture->requests =
        (double)(sample->stats.requests - before->stats.requests) / picture->seconds;
    picture->commits = (double)(sample->stats.commits - before->stats.commits) / picture->seconds;
    for (size_t i = 0; i < picture->row_count; i++)
        row_init(&picture->rows[i], find(before, &place, sample->buckets[i].name),
                 &sample->buckets[i], picture->seconds);
}

int picture_init(struct picture *picture, const struct sample *before, const struct sample *sample)
{
    *picture = (struct picture){
        .sample = sample,
        .has_rates = is_same_daemon(before, sample),
        .rows = calloc(sample->bucket_count + 1, sizeof(*picture->rows)),
        .row_count = sample->bucket_count,
    };
    if (!picture->rows)
        return -ENOMEM;
    for (size_t i = 0; i < picture->row_count; i++)
        picture->rows[i].info = &sample->buckets[i];
    if (picture->has_rates)
        rates_init(picture, before);
    return 0;
}

void picture_finish(struct picture *picture)
{
    free(picture->rows);
    *picture = (struct picture){0};
}

double bucket_row_hit_rate(const struct bucket_row *row)
{
    double reads = row->hits + row->misses;

    return reads > 0 ? row->hits / reads : -1;
}

/* ---- order ---- */

static int compare_names(const void *a, const void *b)
{
    const struct bucket_row *one = a;
    const struct bucket_row *other = b;

    return strcmp(one->info->name, other->info->name);
}

static int compare_sizes(const void *a, const void *b)
{
    uint64_t one = ((const struct bucket_row *)a)->info->used;
    uint64_t other = ((const struct bucket_row *)b)->info->used;

    return one == other ? compare_names(a, b) : one < other ? 1 : -1;
}

static double rate(const struct bucket_row *row)
{
    return row->puts + row->hits + row->misses;
}

static int compare_rates(const void *a, const void *b)
{
    double one = rate(a);
    double other = rate(b);

    return one == other ? compare_names(a, b) : one < other ? 1 : -1;
}

void picture_sort(struct picture *picture, enum picture_order order)
{
    static int (*const compare[])(const void *, const void *) = {
        [PICTURE_BY_SIZE] = compare_sizes,
        [PICTURE_BY_RATE] = compare_rates,
        [PICTURE_BY_NAME] = compare_names,
    };

    qsort(picture->rows, picture->row_count, sizeof(*picture->rows), compare[order]);
}
