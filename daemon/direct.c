#include "direct.h"

#include "common/state.h"
#include "log.h"
#include "marks.h"
#include "server.h"
#include "state.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

/* Until new garbage is looked at, and between two looks at what nobody gives up, microseconds. So
 * many bytes are not waited with. */
#define COLLECT_DELAY_MIN 1000
#define COLLECT_DELAY_MAX 256000
#define COLLECT_BYTES (1U << 20)

/* To free a blob of so many bytes takes as long as to note that it can be freed. */
#define FREED_LATER (256U << 10)

/* Pin tables that are read for one look in about the time that the rest of it takes: with more of
 * them, looks are rarer. */
#define TABLES_IN_LOOK 16

/* A process that dies closes its socket before or after its locks. So look for dead readers when
 * the socket closes, and again after these times, microseconds. */
#define CHECK_DELAY_MIN 1000
#define CHECK_DELAY_MAX 1000000

#define COMMIT_TIME_SPACING 1000 /* microseconds */

/* A pin table that an earlier daemon gave to a process that still lives. */
struct inherited_pins {
    struct pins pins;
    TAILQ_ENTRY(inherited_pins) entry;
};

struct pin_list {
    uint64_t *ids;
    size_t count;
};

/* While anybody may read in place, freed blobs wait for them. Large ones are freed between turns in
 * any case. */
static void update_deferral(struct server *server)
{
    store_defer_frees(server->store, server->direct.tables > 0 ? 0 : FREED_LATER);
}

/* ---- start and end ---- */

static void inherit_one(struct direct *direct, const char *name)
{
    struct inherited_pins *inherited;
    unsigned number;
    char rest;

    if (sscanf(name, "pins.%u%c", &number, &rest) != 1)
        return;
    inherited = calloc(1, sizeof(*inherited));
    if (!inherited)
        return;
    if (number > direct->last_number)
        direct->last_number = number;
    if (pins_inherit(&inherited->pins, direct->folder_fd, name) < 0)
        free(inherited);
    else {
        TAILQ_INSERT_TAIL(&direct->inherited, inherited, entry);
        direct->tables++;
    }
}

static int inherit_all(struct direct *direct, const char *folder)
{
    DIR *files = opendir(folder);
    struct dirent *file;

    if (!files)
        return -errno;
    while ((file = readdir(files)))
        inherit_one(direct, file->d_name);
    closedir(files);
    return 0;
}

/* Lets a file of the folder be used by the group, or by nobody else. A change of owner is not tried
 * without need: it may not be allowed. */
static int open_file(struct direct *direct, const char *name, mode_t mode)
{
    struct stat info;
    int fd = direct->folder_fd;

    if (fstatat(fd, name, &info, AT_SYMLINK_NOFOLLOW) < 0)
        return -errno;
    if (direct->mode == DIRECT_GROUP && info.st_gid != direct->group &&
        fchownat(fd, name, (uid_t)-1, direct->group, AT_SYMLINK_NOFOLLOW) < 0)
        return -errno;
    return (info.st_mode & 0777) != mode && fchmodat(fd, name, mode, 0) < 0 ? -errno : 0;
}

/* Readers read the data, and write to the table of readers and to the use marks. */
static int open_folder(struct direct *direct, const char *socket)
{
    bool group = direct->mode == DIRECT_GROUP;
    struct stat info;
    int r;

    if (group && stat(socket, &info) < 0)
        return -errno;
    direct->group = group ? info.st_gid : 0;
    r = open_file(direct, "data.mdb", group ? 0640 : 0600);
    if (r == 0)
        r = open_file(direct, STATE_NAME, group ? 0640 : 0600);
    if (r == 0)
        r = open_file(direct, "lock.mdb", group ? 0660 : 0600);
    if (r == 0)
        r = open_file(direct, MARKS_NAME, group ? 0660 : 0600);
    if (r == 0)
        r = open_file(direct, ".", group ? 0710 : 0700);
    return r;
}

int direct_init(struct server *server, const char *folder, const char *socket,
                enum direct_mode mode)
{
    struct direct *direct = &server->direct;
    int r;

    direct->mode = mode;
    direct->collect_delay = COLLECT_DELAY_MIN;
    direct->folder_fd = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (direct->folder_fd < 0)
        return -errno;
    r = state_open(direct->folder_fd, &direct->state);
    if (r == 0)
        r = inherit_all(direct, folder);
    if (r == 0)
        r = open_folder(direct, socket);
    update_deferral(server);
    direct->collect_next = store_garbage(server->store) > 0 ? server_now() : 0;
    if (!TAILQ_EMPTY(&direct->inherited)) {
        direct->check_delay = CHECK_DELAY_MIN;
        direct->check_next = server_now();
    }
    return r;
}

static void forget_inherited(struct direct *direct, struct inherited_pins *inherited)
{
    TAILQ_REMOVE(&direct->inherited, inherited, entry);
    direct->tables--;
    pins_remove(&inherited->pins, direct->folder_fd);
    free(inherited);
}

/* At the end of the daemon. Where the store stays, so does the table, while its client has it: what
 * the client has in view must outlive the next daemon's changes too. */
static void end_pins(struct server *server, struct pins *pins)
{
    pins_stop(pins);
    if (server->keep || server->failure)
        pins_leave(pins);
    else
        pins_remove(pins, server->direct.folder_fd);
}

void direct_finish(struct server *server)
{
    struct direct *direct = &server->direct;
    struct inherited_pins *inherited;

    while ((inherited = TAILQ_FIRST(&direct->inherited))) {
        end_pins(server, &inherited->pins);
        /* The analyzer does not see that the head moves on. */
        forget_inherited(direct, inherited); /* NOLINT(clang-analyzer-unix.Malloc) */
    }
    state_close(direct->state);
    direct->state = NULL;
    if (direct->folder_fd >= 0)
        close(direct->folder_fd);
    direct->folder_fd = -1;
}

/* ---- readers ---- */

static bool is_in_group(int fd, const struct ucred *peer, gid_t group)
{
    gid_t groups[1024];
    socklen_t length = sizeof(groups);

    if (peer->gid == group)
        return true;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &length) < 0)
        return false;
    for (size_t i = 0; i < length / sizeof(groups[0]); i++) {
        if (groups[i] == group)
            return true;
    }
    return false;
}

static bool may_read(const struct direct *direct, const struct client *client, pid_t *ret_pid)
{
    struct ucred peer = {0};
    socklen_t length = sizeof(peer);

    if (direct->mode == DIRECT_OFF ||
        getsockopt(client->connection.fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) < 0)
        return false;
    *ret_pid = peer.pid;
    return peer.uid == geteuid() || (direct->mode == DIRECT_GROUP &&
                                     is_in_group(client->connection.fd, &peer, direct->group));
}

int direct_admit(struct client *client)
{
    struct direct *direct = &client->server->direct;
    pid_t pid;
    int r;

    if (client->pins.fd >= 0)
        return -EALREADY;
    if (!may_read(direct, client, &pid))
        return -EPERM;
    r = pins_create(&client->pins, direct->folder_fd, ++direct->last_number, pid);
    if (r < 0)
        return r;
    TAILQ_INSERT_TAIL(&direct->readers, client, direct);
    direct->tables++;
    update_deferral(client->server);
    return 0;
}

void direct_leave(struct client *client)
{
    struct direct *direct = &client->server->direct;

    if (client->pins.fd < 0)
        return;
    statistics_take(client);
    if (client->server->stopping || client->server->failure)
        end_pins(client->server, &client->pins);
    pins_remove(&client->pins, direct->folder_fd);
    TAILQ_REMOVE(&direct->readers, client, direct);
    direct->tables--;
    direct->check_delay = CHECK_DELAY_MIN;
    direct->check_next = server_now();
    direct->collect_delay = COLLECT_DELAY_MIN;
    if (direct->collect_next)
        direct->collect_next = direct->check_next;
    update_deferral(client->server);
}

/* ---- collecting ---- */

static void check_dead(struct server *server)
{
    struct direct *direct = &server->direct;
    struct inherited_pins *inherited, *next;

    for (inherited = TAILQ_FIRST(&direct->inherited); inherited; inherited = next) {
        next = TAILQ_NEXT(inherited, entry);
        if (pins_abandoned(&inherited->pins))
            forget_inherited(direct, inherited);
    }
    store_check_readers(server->store);
    update_deferral(server);
}

/* After a look for which it was time: sets the next. */
static void check_again(struct direct *direct, uint64_t now)
{
    direct->check_delay *= 10;
    /* Nobody tells of the end of a process that an earlier daemon knew: look now and then. */
    if (direct->check_delay > CHECK_DELAY_MAX && !TAILQ_EMPTY(&direct->inherited))
        direct->check_delay = CHECK_DELAY_MAX;
    direct->check_next = direct->check_delay > CHECK_DELAY_MAX ? 0 : now + direct->check_delay;
}

/* Adds the ids of a table. */
static int add_pins(struct pin_list *list, const struct pins *pins)
{
    uint64_t found[PIN_SLOTS];
    size_t count = pins_read(pins, found, NULL);
    uint64_t *ids;

    if (count == 0)
        return 0;
    ids = realloc(list->ids, (list->count + count) * sizeof(*ids));
    if (!ids)
        return -ENOMEM;
    memcpy(ids + list->count, found, count * sizeof(*ids));
    list->ids = ids;
    list->count += count;
    return 0;
}

static int read_all_pins(struct server *server, struct pin_list *list)
{
    struct direct *direct = &server->direct;
    const struct inherited_pins *inherited;
    const struct client *client;
    int r = 0;

    TAILQ_FOREACH (client, &direct->readers, direct) {
        if (r == 0)
            r = add_pins(list, &client->pins);
    }
    TAILQ_FOREACH (inherited, &direct->inherited, entry) {
        if (r == 0)
            r = add_pins(list, &inherited->pins);
    }
    return r;
}

int direct_pinned(void *server, uint64_t **ret_ids, size_t *ret_count)
{
    struct pin_list pinned = {0};
    int r = read_all_pins(server, &pinned);

    if (r < 0) {
        free(pinned.ids);
        return r;
    }
    *ret_ids = pinned.ids;
    *ret_count = pinned.count;
    return 0;
}

/* How rare looks are, for their cost. */
static uint64_t rarity(const struct direct *direct)
{
    return 1 + direct->tables / TABLES_IN_LOOK;
}

static int collect(struct server *server, uint64_t now)
{
    struct direct *direct = &server->direct;
    struct pin_list pinned = {0};
    uint64_t oldest;
    int r;

    /* In this order: the last commit, the readers' slots, their pins. Without a pin table nobody
     * can keep what an old snapshot leads to for longer than the snapshot; but one that has just
     * left may still be in its last read. */
    atomic_thread_fence(memory_order_seq_cst);
    oldest = direct->tables > 0 || direct->check_next > 0 ? store_oldest_reader(server->store)
                                                          : UINT64_MAX;
    atomic_thread_fence(memory_order_seq_cst);
    r = read_all_pins(server, &pinned);
    if (r == 0)
        r = store_collect(server->store, oldest, pinned.ids, pinned.count);
    free(pinned.ids);
    server_commit(server);
    if (r < 0 && r != -EAGAIN && r != -EBUSY && r != -ENOSPC && r != -ENOMEM)
        server->failure = r;
    if (r > 0 || store_collects_on(server->store))
        direct->collect_delay = COLLECT_DELAY_MIN;
    else if (direct->collect_delay < COLLECT_DELAY_MAX)
        direct->collect_delay *= 2;
    direct->collect_next =
        store_garbage(server->store) > 0 ? now + direct->collect_delay * rarity(direct) : 0;
    direct->garbage_left = store_garbage_bytes(server->store);
    return r;
}

void direct_collect_now(struct server *server)
{
    uint64_t now = server_now();
    int r = 0;

    server_commit(server); /* only what is committed can be judged */
    check_dead(server);
    /* All of it: first the rest of a round that may be under way. */
    while (r >= 0 && store_collects_on(server->store))
        r = collect(server, now);
    do
        r = collect(server, now);
    while (r >= 0 && store_collects_on(server->store));
    while (store_free_spares(server->store) > 0)
        server_commit(server);
    if (store_settle(server->store) == 0)
        server_commit(server);
}

/* New garbage is mostly free at once, but not worth a transaction for each. */
static bool is_time_to_collect(struct server *server, uint64_t now)
{
    struct direct *direct = &server->direct;
    uint64_t soon = now + COLLECT_DELAY_MIN * rarity(direct);

    if (store_garbage(server->store) > direct->garbage_seen &&
        (!direct->collect_next || soon < direct->collect_next))
        direct->collect_next = soon;
    return (direct->collect_next && now >= direct->collect_next) ||
           store_garbage_bytes(server->store) >=
               direct->garbage_left + COLLECT_BYTES * rarity(direct);
}

void direct_collect(struct server *server)
{
    struct direct *direct = &server->direct;
    uint64_t garbage = store_garbage(server->store);
    uint64_t now;

    if (!direct->check_next && garbage == 0)
        return;
    now = server_now();
    if (direct->check_next && now >= direct->check_next) {
        check_dead(server);
        check_again(direct, now);
    }
    if (garbage > 0 && is_time_to_collect(server, now))
        collect(server, now);
    direct->garbage_seen = store_garbage(server->store);
}

uint64_t direct_next(const struct server *server)
{
    const struct direct *direct = &server->direct;
    uint64_t next = UINT64_MAX;

    if (direct->check_next)
        next = direct->check_next;
    if (store_garbage(server->store) > direct->garbage_seen)
        return 0; /* of a client that was closed late in the turn */
    if (store_garbage(server->store) > 0 && direct->collect_next && direct->collect_next < next)
        next = direct->collect_next;
    return next;
}

void direct_renew(struct server *server)
{
    struct direct *direct = &server->direct;
    const struct inherited_pins *inherited;
    const struct client *client;
    int r = store_renew(server->store);

    if (r == 0)
        return;
    /* What they have mapped is an empty store that nobody fills; their next read maps the new one.
     */
    TAILQ_FOREACH (client, &direct->readers, direct) {
        pins_stop(&client->pins);
    }
    TAILQ_FOREACH (inherited, &direct->inherited, entry) {
        pins_stop(&inherited->pins);
    }
    if (r > 0)
        r = open_folder(direct, server->listener->path);
    if (r < 0)
        server->failure = r;
}

/* ---- who holds what ---- */

void direct_note_commit(struct server *server)
{
    struct direct *direct = &server->direct;
    size_t last = (direct->times_count - 1) % COMMIT_TIMES;
    uint64_t now;
    if (TAILQ_EMPTY(&direct->readers))
        return;
    now = server_now();
    if (direct->times_count > 0 && now - direct->times[last].time < COMMIT_TIME_SPACING)
        return;
    direct->times[direct->times_count++ % COMMIT_TIMES] =
        (struct commit_time){.txn = store_last_commit(server->store), .time = now};
}

/* How long a snapshot has not been the newest: it was taken before that, at most a little. */
static uint64_t age_of(const struct direct *direct, uint64_t txn)
{
    size_t count = direct->times_count < COMMIT_TIMES ? direct->times_count : COMMIT_TIMES;

    for (size_t i = direct->times_count - count; i < direct->times_count; i++) {
        const struct commit_time *commit = &direct->times[i % COMMIT_TIMES];

        if (commit->txn > txn)
            return server_now() - commit->time;
    }
    return 0;
}

struct holder_walk {
    const struct direct *direct;
    struct holder *holders;
    size_t count;
};

static void add_reader(void *context, pid_t pid, uint64_t txn)
{
    struct holder_walk *walk = context;
    uint64_t age = age_of(walk->direct, txn);

    for (size_t i = 0; i < walk->count; i++) {
        struct holder *holder = &walk->holders[i];

        if (holder->pid != (uint32_t)pid)
            continue;
        holder->readers++;
        if (age > holder->oldest)
            holder->oldest = age;
        return;
    }
}

/* The sizes of the blobs, each counted once. Sorts the ids. */
static uint64_t size_of(struct store *store, uint64_t *ids, size_t count)
{
    uint64_t total = 0;
    uint64_t size;

    if (count > 0)
        qsort(ids, count, sizeof(*ids), store_compare_blobs);
    for (size_t i = 0; i < count; i++) {
        if ((i == 0 || ids[i] != ids[i - 1]) && store_blob_size(store, ids[i], &size) == 0)
            total += size;
    }
    return total;
}

static void name_program(struct holder *holder)
{
    char path[64];
    ssize_t length;
    int fd;

    snprintf(path, sizeof(path), "/proc/%u/comm", holder->pid);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    length = fd < 0 ? -1 : read(fd, holder->name, sizeof(holder->name) - 1);
    if (fd >= 0)
        close(fd);
    if (length > 0 && holder->name[length - 1] == '\n')
        holder->name[length - 1] = '\0';
}

static void fill_holder(struct client *client, struct holder *holder)
{
    uint64_t ids[PIN_SLOTS];
    pid_t pid = 0;
    size_t count = pins_read(&client->pins, ids, &pid);

    *holder = (struct holder){.pid = (uint32_t)pid,
                              .uid = client->uid,
                              .views = (uint32_t)count,
                              .pinned = size_of(client->server->store, ids, count)};
    name_program(holder);
}

static int compare_holders(const void *a, const void *b)
{
    const struct holder *left = a;
    const struct holder *right = b;

    return (left->pinned < right->pinned) - (left->pinned > right->pinned);
}

size_t direct_holders(struct server *server, struct holder *holders, size_t max)
{
    struct holder_walk walk = {.direct = &server->direct};
    struct client *client;
    size_t count = 0;

    TAILQ_FOREACH (client, &server->direct.readers, direct) {
        count++;
    }
    walk.holders = calloc(count + 1, sizeof(*holders));
    if (!walk.holders)
        return 0;
    TAILQ_FOREACH (client, &server->direct.readers, direct) {
        fill_holder(client, &walk.holders[walk.count++]);
    }
    store_readers(server->store, add_reader, &walk);
    qsort(walk.holders, count, sizeof(*holders), compare_holders);
    count = count < max ? count : max;
    memcpy(holders, walk.holders, count * sizeof(*holders));
    free(walk.holders);
    return count;
}

void direct_totals(struct server *server, struct direct_totals *ret_totals)
{
    struct pin_list pinned = {0};
    const struct client *client;
    uint64_t readers = 0;

    TAILQ_FOREACH (client, &server->direct.readers, direct) {
        readers++;
    }
    read_all_pins(server, &pinned);
    *ret_totals = (struct direct_totals){.readers = readers, .views = pinned.count};
    ret_totals->pinned = size_of(server->store, pinned.ids, pinned.count);
    free(pinned.ids);
}
