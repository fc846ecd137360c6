/* memstore: the store from a shell. */
#include "arguments.h"
#include "client/memstore.h"
#include "commands.h"
#include "common/version.h"
#include "help.h"
#include "status.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A standard stream that the caller closed would otherwise be the number that the daemon's socket
 * gets. In its place comes a descriptor on which the stream's own use fails. */
static void streams_fill(void)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
        if (fcntl(fd, F_GETFD) < 0 &&
            open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY) < 0)
            _exit(STATUS_FAILED);
    }
}

/* Some errors of writing, such as a full disk behind a network, show only at the end. */
static enum status streams_close(enum status status)
{
    int failed = ferror(stdout);

    errno = 0;
    if (fclose(stdout) == 0 && !failed)
        return status;
    complain("standard output: %s", strerror(errno ? errno : EIO));
    return status == STATUS_DONE ? STATUS_FAILED : status;
}

/* A bucket that is missing, or no store at all? */
static enum status complain_open(const struct memstore_options *options, int error)
{
    struct memstore_options elsewhere = *options;
    const char *bucket = options->bucket ? options->bucket : getenv("MEMSTORE_BUCKET");
    struct memstore *store;

    elsewhere.bucket = "default";
    if (error != -ENOENT || !bucket || memstore_open(&elsewhere, &store) < 0)
        return complain_store(error);
    memstore_close(store);
    complain("there is no bucket '%s': make it with 'memstore bucket create %s'", bucket, bucket);
    return STATUS_MISSING;
}

static enum status run_online(const struct arguments *arguments)
{
    const struct memstore_options options = arguments_store(arguments);
    struct memstore *store;
    enum status status;
    int error = memstore_open(&options, &store);

    if (error)
        return complain_open(&options, error);
    status = arguments->command->run(store, arguments);
    memstore_close(store);
    return status;
}

static enum status run(const struct arguments *arguments)
{
    if (arguments->version)
        printf("memstore %s\n", MEMSTORE_VERSION);
    else if (arguments->help)
        help_print(arguments->command ? arguments->command->help : NULL);
    else if (arguments->command->is_offline)
        return arguments->command->run(NULL, arguments);
    else
        return run_online(arguments);
    return STATUS_DONE;
}

int main(int argc, char **argv)
{
    struct arguments arguments;
    enum status status;

    streams_fill();
    status = arguments_init(&arguments, argc, argv);
    if (status == STATUS_DONE)
        status = run(&arguments);
    arguments_finish(&arguments);
    return streams_close(status);
}
