/* memstored: an in-memory store of objects for the processes of one machine. */
#include "data_folder.h"
#include "guard.h"
#include "listener.h"
#include "log.h"
#include "options.h"
#include "server.h"
#include "size.h"
#include "store.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

/* One line that says what was chosen. */
static void log_start(const struct listener *listener, const struct data_folder *folder,
                      struct store *store)
{
    char size[SIZE_TEXT_MAX] = "none";
    char memory[SIZE_TEXT_MAX];
    struct store_status status;

    if (folder->limits.max_size != STORE_NO_LIMIT)
        size_format(size, folder->limits.max_size);
    store_status(store, &status);
    if (store_limits(store)->max_memory > folder->limits.max_memory)
        log_warning(
            "the store found in %s needs more than the max memory that was set; it is raised",
            folder->path);
    log_info("serving %s, data folder %s, max size %s, max memory %s, %llu objects found",
             listener->path, folder->path, size,
             size_format(memory, store_limits(store)->max_memory),
             (unsigned long long)status.objects);
}

static void log_no_store(const struct data_folder *folder, int error)
{
    if (error == -EUCLEAN)
        log_error(
            "data folder %s: what is there is no store of this version, or damaged: remove it "
            "or choose another folder with --data",
            folder->path);
    else
        log_error("data folder %s: the store cannot be opened: %s", folder->path, strerror(-error));
}

/* Serves with the listener that is open. */
static int serve(struct listener *listener, const struct options *options)
{
    static struct server server; /* too large for a stack frame */
    struct data_folder folder;
    struct store *store = NULL;
    int r = data_folder_open(&folder, options, listener->path);

    if (r < 0)
        return r;
    r = store_open(folder.path, &folder.limits, &store);
    if (r < 0) {
        log_no_store(&folder, r);
        goto out;
    }
    log_start(listener, &folder, store);
    r = server_run(&server, &(struct server_settings){.listener = listener,
                                                      .store = store,
                                                      .folder = folder.path,
                                                      .direct = options->direct,
                                                      .keep = options->keep,
                                                      .client_timeout = options->client_timeout,
                                                      .spin = options->spin});
    store_close(store);
out:
    /* After a failure the store stays, for the next start or for who looks into it. */
    data_folder_close(&folder, r == 0 && !options->keep);
    return r;
}

/* What the process needs before it opens anything. */
static int prepare_process(void)
{
    struct rlimit unlimited = {.rlim_cur = RLIM_INFINITY, .rlim_max = RLIM_INFINITY};
    sigset_t stop;
    int fd;

    /* Descriptors 0 to 2 must not become files of ours, to be written messages into. */
    do
        fd = open("/dev/null", O_RDWR);
    while (fd >= 0 && fd <= STDERR_FILENO);
    if (fd < 0)
        return -errno;
    close(fd);
    signal(SIGPIPE, SIG_IGN); /* a reader of our messages may go away */
    signal(SIGXFSZ, SIG_IGN); /* a limit on files' sizes is an error, no death */
    setrlimit(RLIMIT_FSIZE, &unlimited);
    /* A stop that comes early waits for the loop, which ends in order. */
    sigemptyset(&stop);
    sigaddset(&stop, SIGTERM);
    sigaddset(&stop, SIGINT);
    sigaddset(&stop, SIGHUP);
    if (sigprocmask(SIG_BLOCK, &stop, NULL) < 0)
        return -errno;
    return guard_start();
}

int main(int argc, char **argv)
{
    struct options options;
    struct listener listener;
    int r = options_read(argc, argv, &options);

    if (r != 0)
        return r < 0 ? 2 : 0;
    r = prepare_process();
    if (r < 0) {
        log_error("cannot start: %s", strerror(-r));
        return 1;
    }
    r = listener_inherit(&listener);
    if (r == 0)
        r = listener_open(&listener, options.socket, options.socket_mode);
    if (r < 0)
        return 1;
    r = serve(&listener, &options);
    listener_close(&listener);
    return r < 0 ? 1 : 0;
}
