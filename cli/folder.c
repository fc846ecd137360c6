#include "folder.h"

#include "doomed.h"
#include "output.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#define FOLDER_FLAGS (O_RDONLY | O_DIRECTORY | O_CLOEXEC)
#define TRIES 100 /* to find a name for a temporary file */
#define TEMPORARY_SIZE 32

int folder_open(const char *path)
{
    int fd;

    if (mkdir(path, 0777) < 0 && errno != EEXIST)
        return -errno;
    fd = open(path, FOLDER_FLAGS);
    return fd < 0 ? -errno : fd;
}

/* ---- paths ---- */

static const char *component_refused(const char *name, size_t length)
{
    if (length == 0)
        return "it has an empty folder name";
    if (length > NAME_MAX)
        return "a name in it is too long";
    if ((length == 1 && name[0] == '.') || (length == 2 && name[0] == '.' && name[1] == '.'))
        return "it has '.' or '..' as a name";
    return NULL;
}

const char *folder_refuses(const void *path, size_t length)
{
    const char *rest = path;
    const char *end = rest + length;
    const char *refused = NULL;

    if (length == 0)
        return "nothing is behind the prefix";
    if (memchr(path, '\0', length))
        return "it has a NUL";
    if (rest[0] == '/')
        return "what is behind the prefix begins with a slash; end the prefix with that";
    if (end[-1] == '/')
        return "it ends with a slash";
    while (!refused) {
        const char *slash = memchr(rest, '/', (size_t)(end - rest));

        refused = component_refused(rest, (size_t)((slash ? slash : end) - rest));
        if (!slash)
            break;
        rest = slash + 1;
    }
    return refused;
}

/* ---- folders on the way ---- */

/* Why a name could not be opened as a folder. */
static int not_a_folder(int parent, const char *name)
{
    int error = errno;
    struct stat info;

    if (error == ENOTDIR && fstatat(parent, name, &info, AT_SYMLINK_NOFOLLOW) == 0 &&
        S_ISLNK(info.st_mode))
        return -ELOOP;
    return -error;
}

/* Opens a folder in another one, or makes it. */
static int enter(int parent, const char *name)
{
    int fd = openat(parent, name, FOLDER_FLAGS | O_NOFOLLOW);

    if (fd < 0 && errno == ENOENT) {
        if (mkdirat(parent, name, 0777) < 0 && errno != EEXIST)
            return -errno;
        fd = openat(parent, name, FOLDER_FLAGS | O_NOFOLLOW);
    }
    return fd < 0 ? not_a_folder(parent, name) : fd;
}

/* Opens the folder that the path's last name is in; *ret_name is that name. */
static int enter_all(int folder, const char *path, const char **ret_name)
{
    char name[NAME_MAX + 1];
    const char *slash;
    int fd = fcntl(folder, F_DUPFD_CLOEXEC, 0);
    int next;

    if (fd < 0)
        return -errno;
    for (; (slash = strchr(path, '/')); path = slash + 1) {
        memcpy(name, path, (size_t)(slash - path));
        name[slash - path] = '\0';
        next = enter(fd, name);
        close(fd);
        if (next < 0)
            return next;
        fd = next;
    }
    *ret_name = path;
    return fd;
}

/* ---- files ---- */

static void temporary_name(char name[TEMPORARY_SIZE])
{
    uint64_t number = 0;

    if (getrandom(&number, sizeof(number), 0) < 0)
        number = (uint64_t)getpid();
    snprintf(name, TEMPORARY_SIZE, ".memstore-%016llx", (unsigned long long)number);
}

/* Makes a file that goes if we do. */
static int open_temporary(int folder, char name[TEMPORARY_SIZE])
{
    int fd = -1;

    for (int i = 0; i < TRIES && fd < 0; i++) {
        temporary_name(name);
        doomed_set(folder, name);
        fd = openat(folder, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666);
        if (fd < 0 && errno != EEXIST)
            break;
    }
    if (fd < 0) {
        fd = -errno;
        doomed_clear();
    }
    return fd;
}

/* What is there already: may it be replaced, and which permissions does it hand on? */
static int look_at_old(int folder, const char *name, mode_t *ret_mode)
{
    struct stat old;

    if (fstatat(folder, name, &old, AT_SYMLINK_NOFOLLOW) < 0)
        return errno == ENOENT ? 0 : -errno;
    if (S_ISDIR(old.st_mode))
        return -EISDIR;
    if (!S_ISREG(old.st_mode))
        return 0;
    /* A rename would replace a file that one may not write. */
    if (faccessat(folder, name, W_OK, AT_EACCESS) < 0)
        return -errno;
    *ret_mode = old.st_mode & 0777;
    return 1;
}

static int write_file(int folder, const char *name, const void *value, size_t size)
{
    char temporary[TEMPORARY_SIZE];
    struct output output = {0};
    mode_t mode = 0;
    int existed = look_at_old(folder, name, &mode);
    int r;

    if (existed < 0)
        return existed;
    output.fd = open_temporary(folder, temporary);
    if (output.fd < 0)
        return output.fd;
    r = output_write(&output, value, size);
    if (r == 0 && existed && fchmod(output.fd, mode) < 0)
        r = -errno;
    if (close(output.fd) < 0 && r == 0)
        r = -errno;
    if (r == 0 && renameat(folder, temporary, folder, name) < 0)
        r = -errno;
    if (r < 0)
        unlinkat(folder, temporary, 0);
    doomed_clear();
    return r;
}

int folder_write(int folder, const char *path, const void *value, size_t size)
{
    const char *name = path;
    int parent = enter_all(folder, path, &name);
    int r;

    if (parent < 0)
        return parent;
    r = write_file(parent, name, value, size);
    close(parent);
    return r;
}
