/*
 * A read-through cache that several processes share.
 *
 * Each asks for pages by number. A page that is in the cache is read in place; one that is not is
 * rendered, which is slow, by exactly one of those who want it, while the others wait for that one.
 * The bucket keeps itself small: what was used least recently makes room, and what is old expires.
 *
 *     cache [PROCESSES]      4 processes by default
 *
 * Needs a running memstored. Build: cc cache.c $(pkg-config --cflags --libs libmemstore)
 */
#include <memstore.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define CACHE "pages"         /* the bucket */
#define PATIENCE 10000        /* milliseconds to wait for another's page */
#define PAGE_SIZE (16U << 10) /* bytes of a page */
#define PAGES 500             /* that there are */
#define CACHED 100            /* of which so many fit */
#define REQUESTS 2000         /* of each process */

/* Ends the program if a call failed, with the library's words. */
static int must(int result, const char *what)
{
    if (result >= 0)
        return result;
    fprintf(stderr, "%s: %s\n", what,
            *memstore_message() ? memstore_message() : memstore_strerror(result));
    exit(1);
}

struct page {
    char key[32];
    size_t key_length;
    int number;
};

static struct page page_of(int number)
{
    struct page page = {.number = number};

    page.key_length = (size_t)snprintf(page.key, sizeof(page.key), "page/%d", number);
    return page;
}

/* The slow part. What is written becomes the value. */
static int render(struct memstore_writer *writer, void *context)
{
    const struct page *page = context;
    char bytes[1024];
    int error = 0;

    memset(bytes, 'a' + page->number % 26, sizeof(bytes));
    for (size_t size = 0; size < PAGE_SIZE && !error; size += sizeof(bytes))
        error = memstore_writer_write(writer, bytes, sizeof(bytes));
    return error;
}

/*
 * The page, in place: nothing is copied, and it stays as it is until the view is released, even if
 * the cache lets go of it meanwhile. Returns whether it had to be rendered or waited for.
 */
static int get_page(struct memstore *cache, struct page *page, struct memstore_view **ret_view)
{
    const struct memstore_put_options options = {
        .size = sizeof(options), .content_type = "text/plain", .ttl_ms = 60000};
    int missed = 0;
    int error;

    while ((error = memstore_view(cache, page->key, page->key_length, ret_view)) == -ENOENT) {
        missed = 1;
        must(memstore_once(cache, page->key, page->key_length, render, page, &options, PATIENCE,
                           NULL),
             "once");
    }
    must(error, "view");
    return missed;
}

/* Low numbers are asked for often, high ones seldom. */
static int choose(void)
{
    double u = drand48();

    return (int)(PAGES * u * u * u * u * u * u);
}

static int serve(int seed)
{
    struct memstore_options options = {.size = sizeof(options), .bucket = CACHE};
    struct memstore *cache;

    srand48(seed);
    must(memstore_open(&options, &cache), "open");
    for (int i = 0; i < REQUESTS; i++) {
        struct page page = page_of(choose());
        struct memstore_view *view;
        const char *bytes;
        size_t size;

        get_page(cache, &page, &view);
        bytes = memstore_view_value(view, &size);
        if (size != PAGE_SIZE || bytes[size - 1] != 'a' + page.number % 26)
            return 1; /* somebody else's page */
        memstore_view_release(view);
    }
    memstore_close(cache);
    return 0;
}

static void run(struct memstore *store, int processes)
{
    int status;

    for (int i = 0; i < processes; i++) {
        pid_t process = fork();

        if (process == 0) {
            memstore_close(store); /* a copy of the parent's, which keeps its own */
            exit(serve(i));
        }
        if (process < 0) {
            perror("fork");
            exit(1);
        }
    }
    while (wait(&status) > 0) {
        if (status != 0)
            exit(1);
    }
}

int main(int argc, char **argv)
{
    const struct memstore_bucket_options settings = {
        .size = sizeof(settings),
        .has_max_size = 1,
        .max_size = CACHED * PAGE_SIZE,
        .has_policy = 1,
        .policy = MEMSTORE_POLICY_LRU,
        .exist_ok = 1,
    };
    int processes = argc > 1 ? atoi(argv[1]) : 4;
    struct memstore_bucket_info info;
    struct memstore *store;

    must(memstore_open(NULL, &store), "open");
    must(memstore_bucket_create(store, CACHE, &settings), "bucket_create");
    run(store, processes);

    must(memstore_bucket_info(store, CACHE, &info, sizeof(info)), "bucket_info");
    printf("%d processes, %d requests: %llu pages rendered, %llu made room, %llu bytes of %llu\n",
           processes, processes * REQUESTS, (unsigned long long)info.puts,
           (unsigned long long)info.evicted, (unsigned long long)info.used,
           (unsigned long long)info.max_size);
    must(memstore_bucket_drop(store, CACHE), "bucket_drop");
    memstore_close(store);
    return 0;
}
