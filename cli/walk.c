#include "walk.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

void walk_init(struct walk *walk, const char *root, const void *prefix, size_t prefix_length)
{
    *walk = (struct walk){.root = root, .prefix_length = prefix_length, .length = prefix_length};
    memcpy(walk->key, prefix, prefix_length);
}

const char *walk_path(const struct walk *walk)
{
    return walk->key + walk->prefix_length;
}

static void skip(const struct walk *walk, const char *what)
{
    if (walk->tally)
        tally_skip(walk->tally, "%s/%s: passed over: %s", walk->root, walk_path(walk), what);
}

static void fail(const struct walk *walk, const char *why)
{
    if (walk->tally)
        tally_fail(walk->tally, STATUS_FAILED, "%s/%s: %s", walk->root, walk_path(walk), why);
}

/* What it is, also where the folder does not say. */
static unsigned char type_of(int folder, const struct dirent *entry)
{
    struct stat info;

    if (entry->d_type != DT_UNKNOWN)
        return entry->d_type;
    if (fstatat(folder, entry->d_name, &info, AT_SYMLINK_NOFOLLOW) < 0)
        return DT_UNKNOWN;
    return IFTODT(info.st_mode);
}

static bool walk_folder(struct walk *walk, DIR *folder);

static bool enter(struct walk *walk, int parent, const char *name)
{
    DIR *folder = NULL;
    bool goes_on = true;
    int fd;

    if (walk->length + 2 > MEMSTORE_KEY_MAX) {
        fail(walk, "keys of what is in it would be longer than 500 bytes");
        return true;
    }
    fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd >= 0)
        folder = fdopendir(fd);
    if (!folder) {
        fail(walk, strerror(errno));
        if (fd >= 0)
            close(fd);
        return true;
    }
    walk->key[walk->length++] = '/';
    goes_on = walk_folder(walk, folder);
    walk->length--;
    closedir(folder);
    return goes_on;
}

static bool visit(struct walk *walk, int folder, const struct dirent *entry)
{
    switch (type_of(folder, entry)) {
    case DT_REG:
        return walk->visit(walk, folder, entry->d_name);
    case DT_DIR:
        return enter(walk, folder, entry->d_name);
    case DT_LNK:
        skip(walk, "a symbolic link");
        return true;
    case DT_FIFO:
        skip(walk, "a named pipe");
        return true;
    case DT_SOCK:
        skip(walk, "a socket");
        return true;
    default:
        skip(walk, "a device, or gone");
        return true;
    }
}

/* Visits what is in the folder whose path the key ends with. */
static bool walk_folder(struct walk *walk, DIR *folder)
{
    const size_t length = walk->length;
    bool goes_on = true;

    while (goes_on) {
        const struct dirent *entry;

        errno = 0;
        entry = readdir(folder);
        if (!entry) {
            if (errno)
                fail(walk, strerror(errno));
            break;
        }
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        walk->length = length + strlen(entry->d_name);
        memcpy(walk->key + length, entry->d_name, walk->length - length + 1);
        goes_on = visit(walk, dirfd(folder), entry);
        walk->length = length;
        walk->key[length] = '\0';
    }
    return goes_on;
}

int walk_run(struct walk *walk)
{
    DIR *folder = opendir(walk->root);

    if (!folder)
        return -errno;
    walk_folder(walk, folder);
    closedir(folder);
    return 0;
}
