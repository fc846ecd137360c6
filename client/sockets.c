#include "sockets.h"

#include "channel.h"

#include <errno.h>
#include <pthread.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <unistd.h>

/* Held while a socket is made or closed, and by a fork: so a child finds every copy that it has,
 * and no number that has become another file's. */
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
LIST_HEAD(channel_list, channel);
static struct channel_list all = LIST_HEAD_INITIALIZER(all);

int sockets_open(struct channel *channel)
{
    int fd, r;

    pthread_mutex_lock(&mutex);
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    r = fd < 0 ? -errno : 0;
    if (r == 0) {
        connection_init(&channel->connection, fd);
        channel->is_listed = !channel->is_for_child;
        if (channel->is_listed)
            LIST_INSERT_HEAD(&all, channel, entry);
    }
    pthread_mutex_unlock(&mutex);
    return r;
}

void sockets_close(struct channel *channel)
{
    pthread_mutex_lock(&mutex);
    if (channel->is_listed)
        LIST_REMOVE(channel, entry);
    channel->is_listed = false;
    connection_finish(&channel->connection);
    pthread_mutex_unlock(&mutex);
}

void sockets_before_fork(void)
{
    pthread_mutex_lock(&mutex);
}

void sockets_after_fork_in_parent(void)
{
    pthread_mutex_unlock(&mutex);
}

/* The channels themselves stay as they are: their owners may have been in the middle of a call. */
void sockets_after_fork_in_child(void)
{
    struct channel *channel;

    while ((channel = LIST_FIRST(&all))) {
        LIST_REMOVE(channel, entry);
        channel->is_listed = false;
        close(channel->connection.fd);
        channel->connection.fd = -1;
    }
    pthread_mutex_unlock(&mutex);
}
