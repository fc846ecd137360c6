#include "data_folder.h"

#include "common/state.h"
#include "log.h"
#include "marks.h"
#include "memory.h"
#include "size.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#define SHARED_MEMORY "/dev/shm"

/* Max memory for a max size: room for LMDB's copies while values come and go. */
#define SLACK (64U << 20)

static uint64_t memory_for(uint64_t max_size)
{
    return max_size > (UINT64_MAX - SLACK) / 3 * 2 ? UINT64_MAX : max_size / 2 * 3 + SLACK;
}

static uint64_t size_for(uint64_t max_memory)
{
    /* In a small tmpfs the slack has to be small too. */
    return max_memory > 2 * SLACK + SLACK ? (max_memory - SLACK) / 3 * 2 : max_memory / 8 * 5;
}

/* The folder itself, or the nearest one above it that exists. */
static void existing_part(const char *path, char part[PATH_MAX])
{
    char *slash;

    snprintf(part, PATH_MAX, "%s", path);
    while (access(part, F_OK) < 0 && (slash = strrchr(part, '/'))) {
        if (slash == part)
            slash++;
        *slash = '\0';
        if (strcmp(part, "/") == 0)
            return;
    }
    if (!strchr(part, '/') && access(part, F_OK) < 0)
        snprintf(part, PATH_MAX, ".");
}

/* What the folder's file system has for the store: free, or in the store already. */
static int room_at(const char *path, bool *ret_tmpfs, uint64_t *ret_room)
{
    char part[PATH_MAX];
    char file[PATH_MAX + 16];
    struct statfs system;
    struct stat data;

    existing_part(path, part);
    if (statfs(part, &system) < 0)
        return -errno;
    *ret_tmpfs = system.f_type == TMPFS_MAGIC;
    *ret_room = (uint64_t)system.f_bavail * (uint64_t)system.f_bsize;
    if (system.f_blocks == 0) /* a tmpfs without a limit */
        *ret_room = memory_total();
    snprintf(file, sizeof(file), "%s/data.mdb", path);
    if (stat(file, &data) == 0)
        *ret_room += (uint64_t)data.st_blocks * 512;
    return 0;
}

/* FNV-1a, 64 bits: a short name for a path, not a secret. */
static uint64_t hash_path(const char *path)
{
    uint64_t hash = 0xcbf29ce484222325;

    for (; *path; path++)
        hash = (hash ^ (uint8_t)*path) * 0x100000001b3;
    return hash;
}

/* Beside the socket, where that is tmpfs with room; else in shared memory, by a name that the same
 * socket finds again. */
static void choose_path(struct data_folder *folder, const struct options *options,
                        const char *socket)
{
    char full[PATH_MAX * 2] = "";
    char *slash;
    uint64_t wanted = options->max_memory;
    uint64_t room = 0;
    bool tmpfs = false;

    if (options->data) {
        snprintf(folder->path, sizeof(folder->path), "%s", options->data);
        /* "link/" would be the folder behind the link. */
        while (strlen(folder->path) > 1 && folder->path[strlen(folder->path) - 1] == '/')
            folder->path[strlen(folder->path) - 1] = '\0';
        return;
    }
    if (socket[0] != '/' && getcwd(full, PATH_MAX))
        strcat(full, "/");
    strcat(full, socket);
    slash = strrchr(full, '/');
    if (wanted == OPTION_UNSET)
        wanted =
            memory_for(options->max_size < OPTION_UNSET ? options->max_size : memory_total() / 4);
    if (slash) {
        snprintf(folder->path, sizeof(folder->path), "%.*s/data", (int)(slash - full), full);
        if (room_at(folder->path, &tmpfs, &room) == 0 && tmpfs && room >= wanted)
            return;
    }
    snprintf(folder->path, sizeof(folder->path), SHARED_MEMORY "/memstore-%u-%016llx",
             (unsigned)geteuid(), (unsigned long long)hash_path(full));
}

/* Sets what the options leave open, so that it fits the room. */
static void choose_limits(struct store_limits *limits, const struct options *options, uint64_t room)
{
    uint64_t spare = room - room / 16; /* others use the tmpfs too */
    uint64_t quarter = memory_total() / 4;
    uint64_t size = options->max_size;
    uint64_t memory = options->max_memory;

    if (size == OPTION_UNSET) {
        size = memory == OPTION_UNSET ? quarter : size_for(memory);
        if (memory == OPTION_UNSET && memory_for(size) > spare)
            size = size_for(spare);
    }
    if (memory == OPTION_UNSET) {
        memory = memory_for(size == OPTION_NONE ? quarter : size);
        /* The default is generous; less will do while it holds all values and a quarter more. */
        if (memory > spare && (size == OPTION_NONE || size < spare / 5 * 4))
            memory = spare;
    }
    *limits = (struct store_limits){.max_size = size == OPTION_NONE ? STORE_NO_LIMIT : size,
                                    .max_memory = memory};
}

static int check_room(struct data_folder *folder, const struct options *options)
{
    char needed[SIZE_TEXT_MAX], there[SIZE_TEXT_MAX];
    uint64_t room = 0;
    bool tmpfs = false;
    int r = room_at(folder->path, &tmpfs, &room);

    if (r < 0) {
        log_error("data folder %s: %s", folder->path, strerror(-r));
        return r;
    }
    if (!tmpfs && !options->allow_disk) {
        log_error("data folder %s is not on tmpfs, so it is not memory: choose another with "
                  "--data, or allow it with --allow-disk",
                  folder->path);
        return -EINVAL;
    }
    choose_limits(&folder->limits, options, room);
    if (folder->limits.max_memory > room || room < MAX_MEMORY_MIN) {
        uint64_t least =
            folder->limits.max_memory > MAX_MEMORY_MIN ? folder->limits.max_memory : MAX_MEMORY_MIN;

        log_error("data folder %s has room for %s, max memory is %s: set a smaller --max-memory or "
                  "--max-size, or choose another folder with --data",
                  folder->path, size_format(there, room), size_format(needed, least));
        return -ENOSPC;
    }
    return 0;
}

/* Makes each folder of the path that is missing; the last one is private. */
static int make_path(const struct data_folder *folder)
{
    char path[PATH_MAX];

    snprintf(path, sizeof(path), "%s", folder->path);
    for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        if (mkdir(path, 0700) < 0 && errno != EEXIST)
            return -errno;
        *slash = '/';
    }
    return mkdir(path, 0700) < 0 && errno != EEXIST ? -errno : 0;
}

/* In a folder that everybody may write to, somebody else can have put something of that name. An
 * earlier daemon may have opened it to a group, to search (direct.c); that ends here. */
static int check_private(const struct data_folder *folder)
{
    struct stat info;

    if (lstat(folder->path, &info) < 0)
        return -errno;
    if (!S_ISDIR(info.st_mode))
        return -ENOTDIR;
    if (info.st_uid != geteuid())
        return -EPERM;
    if (info.st_mode & 0067)
        return -EACCES;
    return info.st_mode & 0077 && chmod(folder->path, 0700) < 0 ? -errno : 0;
}

static int take(struct data_folder *folder)
{
    char path[PATH_MAX + 8];
    pid_t owner = 0;
    int r;

    snprintf(path, sizeof(path), "%s/pid", folder->path);
    r = lock_file_take(&folder->lock, path, &owner);
    if (r == -EBUSY)
        log_error("another memstored (process %d) uses the data folder %s: stop it, or choose "
                  "another folder with --data",
                  (int)owner, folder->path);
    else if (r < 0)
        log_error("data folder %s: %s: %s", folder->path, "cannot lock", strerror(-r));
    return r;
}

int data_folder_open(struct data_folder *folder, const struct options *options, const char *socket)
{
    int r;

    *folder = (struct data_folder){.lock.fd = -1};
    choose_path(folder, options, socket);
    r = check_room(folder, options);
    if (r < 0)
        return r;
    r = make_path(folder);
    if (r == 0)
        r = check_private(folder);
    if (r < 0) {
        log_error("data folder %s: %s", folder->path,
                  r == -EPERM    ? "belongs to somebody else"
                  : r == -EACCES ? "is open to others; it must be a folder of its own, mode 0700"
                                 : strerror(-r));
        return r;
    }
    return take(folder);
}

void data_folder_close(struct data_folder *folder, bool remove)
{
    static const char *const files[] = {"data.mdb",     "lock.mdb", "new/data.mdb",
                                        "new/lock.mdb", STATE_NAME, MARKS_NAME};
    char path[PATH_MAX + 16];

    if (folder->lock.fd < 0)
        return;
    for (size_t i = 0; remove && i < sizeof(files) / sizeof(files[0]); i++) {
        snprintf(path, sizeof(path), "%s/%s", folder->path, files[i]);
        unlink(path);
    }
    if (remove) {
        snprintf(path, sizeof(path), "%s/new", folder->path);
        rmdir(path);
    }
    lock_file_drop(&folder->lock);
    if (remove)
        rmdir(folder->path);
}
