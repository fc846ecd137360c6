#include "options.h"

#include "log.h"
#include "size.h"
#include "version.h"

#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define CLIENT_TIMEOUT_MAX 3600
#define SPIN_MAX 1000 /* microseconds: more would be a core burnt */

static const char help[] =
    "Usage: memstored [OPTION]...\n"
    "Keeps objects in memory for all processes of this machine, until it is stopped.\n"
    "Nothing needs to be set to start. Stop it with Ctrl-C or SIGTERM.\n"
    "\n"
    "  --socket PATH         where clients connect\n"
    "                        [$XDG_RUNTIME_DIR/memstore/socket; root: /run/memstore/socket]\n"
    "  --data DIR            folder of the store, on tmpfs\n"
    "                        [beside the socket, or of its own under /dev/shm]\n"
    "  --max-size SIZE       limit of all values together: bytes, K, M, G, or none\n"
    "                        [a quarter of memory, or what the tmpfs has room for]\n"
    "  --max-memory SIZE     limit of the memory that the store occupies\n"
    "                        [max size * 1.5 + 64M]\n"
    "  --socket-mode MODE    permissions of the socket, octal [0600]\n"
    "  --keep                leave the data folder in place at the end\n"
    "  --allow-disk          take a data folder that is not on tmpfs\n"
    "  --direct WHO          who reads straight out of shared memory: user (processes of the same\n"
    "                        user), group (also the socket's group) or off [user]\n"
    "  --client-timeout SEC  patience with a client that holds half a request or does not take\n"
    "                        its answers [10]\n"
    "  --spin-us TIME        microseconds to look for the next request before sleeping, where it\n"
    "                        mostly comes soon; 0: sleep at once [50]\n"
    "  --version             print the version and exit\n"
    "  --help                print this and exit\n"
    "\n"
    "Each option has an environment variable: MEMSTORE_SOCKET, MEMSTORE_DATA, MEMSTORE_MAX_SIZE,\n"
    "MEMSTORE_MAX_MEMORY, MEMSTORE_SOCKET_MODE, MEMSTORE_KEEP=yes, MEMSTORE_ALLOW_DISK=yes,\n"
    "MEMSTORE_DIRECT, MEMSTORE_CLIENT_TIMEOUT, MEMSTORE_SPIN_US.\n"
    "\n"
    "  memstored --max-size 512M            in one terminal, and then in another\n"
    "  echo hello | memstore put greeting && memstore get greeting\n";

static int read_size(const char *name, const char *text, uint64_t *ret_size)
{
    int r = size_parse(text, ret_size);

    if (r == -ERANGE)
        log_error("%s %s: too large", name, text);
    else if (r < 0)
        log_error("%s '%s': not a size; write bytes, or a number with K, M or G", name, text);
    return r < 0 ? -EINVAL : 0;
}

static int read_max_size(const char *name, const char *text, struct options *options)
{
    if (strcmp(text, "none") == 0) {
        options->max_size = OPTION_NONE;
        return 0;
    }
    return read_size(name, text, &options->max_size);
}

static int read_max_memory(const char *name, const char *text, struct options *options)
{
    int r = read_size(name, text, &options->max_memory);

    if (r == 0 && options->max_memory < MAX_MEMORY_MIN) {
        log_error("%s %s: at least %uM are needed", name, text, MAX_MEMORY_MIN >> 20);
        return -EINVAL;
    }
    return r;
}

static int read_mode(const char *name, const char *text, struct options *options)
{
    char *end;
    unsigned long mode = strtoul(text, &end, 8);

    if (!isdigit((unsigned char)*text) || *end || mode > 0777) {
        log_error("%s '%s': not a mode; write it octal, as 0660", name, text);
        return -EINVAL;
    }
    options->socket_mode = (mode_t)mode;
    return 0;
}

static int read_client_timeout(const char *name, const char *text, struct options *options)
{
    char *end;
    unsigned long seconds = strtoul(text, &end, 10);

    if (!isdigit((unsigned char)*text) || *end || seconds < 1 || seconds > CLIENT_TIMEOUT_MAX) {
        log_error("%s '%s': not a number of seconds from 1 to %d", name, text, CLIENT_TIMEOUT_MAX);
        return -EINVAL;
    }
    options->client_timeout = (unsigned)seconds;
    return 0;
}

static int read_spin(const char *name, const char *text, struct options *options)
{
    char *end;
    unsigned long spin = strtoul(text, &end, 10);

    if (!isdigit((unsigned char)*text) || *end || spin > SPIN_MAX) {
        log_error("%s '%s': not a number of microseconds from 0 to %d", name, text, SPIN_MAX);
        return -EINVAL;
    }
    options->spin = (unsigned)spin;
    return 0;
}

static int read_bool(const char *name, const char *text, bool *ret_value)
{
    static const char *const yes[] = {"1", "yes", "true", "on"};
    static const char *const no[] = {"0", "no", "false", "off"};

    for (size_t i = 0; i < 4; i++) {
        if (strcasecmp(text, yes[i]) == 0 || strcasecmp(text, no[i]) == 0) {
            *ret_value = strcasecmp(text, yes[i]) == 0;
            return 0;
        }
    }
    log_error("%s '%s': write yes or no", name, text);
    return -EINVAL;
}

static int read_direct(const char *name, const char *text, struct options *options)
{
    static const char *const modes[] = {
        [DIRECT_USER] = "user", [DIRECT_GROUP] = "group", [DIRECT_OFF] = "off"};

    for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
        if (strcmp(text, modes[i]) == 0) {
            options->direct = (enum direct_mode)i;
            return 0;
        }
    }
    log_error("%s '%s': write user, group or off", name, text);
    return -EINVAL;
}

static int read_path(const char *name, const char *text, const char **ret_path)
{
    if (!*text) {
        log_error("%s: the path is empty", name);
        return -EINVAL;
    }
    *ret_path = text;
    return 0;
}

static int read_socket(const char *name, const char *text, struct options *options)
{
    return read_path(name, text, &options->socket);
}

static int read_data(const char *name, const char *text, struct options *options)
{
    return read_path(name, text, &options->data);
}

static int read_keep(const char *name, const char *text, struct options *options)
{
    return read_bool(name, text, &options->keep);
}

static int read_allow_disk(const char *name, const char *text, struct options *options)
{
    return read_bool(name, text, &options->allow_disk);
}

/* One row an option; `name` begins with the two dashes. */
static const struct option_row {
    const char *name;
    const char *variable;
    bool is_switch; /* takes no argument on the command line, yes or no in the environment */
    int (*read)(const char *name, const char *text, struct options *options);
} rows[] = {
    {"--socket", "MEMSTORE_SOCKET", false, read_socket},
    {"--data", "MEMSTORE_DATA", false, read_data},
    {"--max-size", "MEMSTORE_MAX_SIZE", false, read_max_size},
    {"--max-memory", "MEMSTORE_MAX_MEMORY", false, read_max_memory},
    {"--socket-mode", "MEMSTORE_SOCKET_MODE", false, read_mode},
    {"--keep", "MEMSTORE_KEEP", true, read_keep},
    {"--allow-disk", "MEMSTORE_ALLOW_DISK", true, read_allow_disk},
    {"--direct", "MEMSTORE_DIRECT", false, read_direct},
    {"--client-timeout", "MEMSTORE_CLIENT_TIMEOUT", false, read_client_timeout},
    {"--spin-us", "MEMSTORE_SPIN_US", false, read_spin},
};

#define ROWS (sizeof(rows) / sizeof(rows[0]))
#define HELP ROWS
#define VERSION (ROWS + 1)

/* An empty variable is as good as none. */
static int read_environment(struct options *options)
{
    int r = 0;

    for (size_t i = 0; r == 0 && i < ROWS; i++) {
        const char *text = getenv(rows[i].variable);

        if (text && *text)
            r = rows[i].read(rows[i].variable, text, options);
    }
    return r;
}

/* What getopt could not make out. optopt is then 0, a letter, or the row of an option. */
static int refuse_argument(const char *argument, bool lacks_value)
{
    if (lacks_value)
        log_error("%s: its value is missing; see memstored --help", argument);
    else if (optopt > (int)ROWS + 1)
        log_error("-%c: not an option of memstored; see memstored --help", optopt);
    else if (optopt > 0)
        log_error("%s: this option takes no value; see memstored --help", argument);
    else
        log_error("%s: not an option of memstored; see memstored --help", argument);
    return -EINVAL;
}

static int read_arguments(int argc, char **argv, struct options *options)
{
    struct option table[ROWS + 3] = {
        [HELP] = {"help", no_argument, NULL, HELP},
        [VERSION] = {"version", no_argument, NULL, VERSION},
    };
    int r = 0;
    int row;

    for (size_t i = 0; i < ROWS; i++)
        table[i] = (struct option){
            rows[i].name + 2, rows[i].is_switch ? no_argument : required_argument, NULL, (int)i};
    /* The colon keeps getopt from printing messages of its own. */
    while (r == 0 && (row = getopt_long(argc, argv, ":", table, NULL)) >= 0) {
        if (row == HELP)
            return fputs(help, stdout), 1;
        if (row == VERSION)
            return puts("memstored " MEMSTORE_VERSION), 1;
        if (row == '?' || row == ':')
            return refuse_argument(argv[optind - 1], row == ':');
        r = rows[row].read(rows[row].name, rows[row].is_switch ? "yes" : optarg, options);
    }
    if (r == 0 && optind < argc) {
        log_error("'%s': memstored takes options only; see memstored --help", argv[optind]);
        return -EINVAL;
    }
    return r;
}

int options_read(int argc, char **argv, struct options *ret_options)
{
    struct options options = {.max_size = OPTION_UNSET,
                              .max_memory = OPTION_UNSET,
                              .socket_mode = 0600,
                              .client_timeout = 10,
                              .spin = 50};
    int r = read_environment(&options);

    if (r == 0)
        r = read_arguments(argc, argv, &options);
    if (r == 0)
        *ret_options = options;
    return r;
}
