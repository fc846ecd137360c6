#include "help.h"

#include <stdio.h>
#include <string.h>

static const char help_general[] =
    "Usage: memstore [-s SOCKET] COMMAND [OPTION]… [KEY]…\n"
    "\n"
    "Objects in memory, shared by the processes of this machine. memstored keeps them.\n"
    "\n"
    "Commands:\n"
    "  put KEY [FILE]         store a file, or standard input, under a key\n"
    "  get KEY [FILE]         write the value to a file or to standard output\n"
    "  exists KEY             succeed if there is such a key\n"
    "  rm KEY…                remove objects\n"
    "  ls [PREFIX]            list keys\n"
    "  info KEY               show what is known of an object\n"
    "  cp SOURCE TARGET       copy an object\n"
    "  mv SOURCE TARGET       rename an object, in one step\n"
    "  url KEY                print the memory:// url of a key\n"
    "  stats                  show how full the store is\n"
    "  holders                show which processes read in place and what they keep\n"
    "\n"
    "Options of every command:\n"
    "  -s, --socket SOCKET    the daemon's socket (default: $MEMSTORE_SOCKET, else\n"
    "                         /run/memstore/socket for root,\n"
    "                         $XDG_RUNTIME_DIR/memstore/socket for others)\n"
    "      --timeout SECONDS  give up after so long (default: 5)\n"
    "  -h, --help             this help; after a command, that command's\n"
    "      --version          print the version\n"
    "\n"
    "Examples:\n"
    "  memstored --socket /tmp/store &        start a store\n"
    "  export MEMSTORE_SOCKET=/tmp/store      and talk to that one\n"
    "  echo hello | memstore put greeting\n"
    "  memstore get greeting\n"
    "  memstore put -t image/png logo logo.png\n"
    "  memstore put --recursive public site/  all files of a folder; so do get and rm\n"
    "  memstore ls -l\n"
    "  memstore put --help                    more on put\n"
    "\n"
    "A key may be given as its url, memory://KEY. After -- it may begin with a dash.\n"
    "\n"
    "Exit status: 0 yes or done, 1 no such key, 2 usage, 3 over quota or out of memory,\n"
    "4 daemon unreachable or too slow, 5 anything else.\n";

static const char help_put[] =
    "Usage: memstore put [-t TYPE] [-m NAME=VALUE]… KEY [FILE]\n"
    "       memstore put --recursive [-t TYPE] [-m NAME=VALUE]… [--json] DIR [PREFIX]\n"
    "\n"
    "Stores FILE (none or -: standard input) under KEY, in one step: others see the old value\n"
    "or the new one, and after an error the old. Type and metadata are replaced as well.\n"
    "\n"
    "  -t, --type TYPE            content type, kept as given; none if not given\n"
    "  -m, --metadata NAME=VALUE  a pair of words to keep with it; as often as you like\n"
    "\n"
    "With --recursive, all files in the folder DIR and below, each by itself. The key of each\n"
    "is PREFIX, as it is, and the path below DIR. Links, pipes, sockets and devices are passed\n"
    "over, and empty folders leave no trace. A file that cannot be read keeps no other from being\n"
    "stored; a full store ends it.\n"
    "\n"
    "  -r, --recursive            store the files of a folder\n"
    "      --json                 say in the end what was done\n"
    "\n"
    "Examples:\n"
    "  memstore put report.pdf report.pdf\n"
    "  memstore put --recursive public site/\n"
    "  memstore put -t text/html -m author=ann -m lang=en pages/1 index.html\n"
    "  tar cz src | memstore put backup/src.tar.gz\n"
    "  memstore put -- -odd-key- file\n";

static const char help_get[] =
    "Usage: memstore get [--range OFFSET:LENGTH] KEY [FILE]\n"
    "       memstore get --recursive [--json] PREFIX DIR\n"
    "\n"
    "Writes the value of KEY to FILE (none or -: standard output). It is one whole value of one\n"
    "moment. FILE changes only when all of it has been written.\n"
    "\n"
    "      --range OFFSET:LENGTH  only these bytes; K, M and G count in 1024s; no LENGTH means\n"
    "                             to the end\n"
    "\n"
    "With --recursive, all objects whose keys start with PREFIX, into the folder DIR, which is\n"
    "made if need be: what is behind PREFIX is the path of the file, and its folders are made.\n"
    "Nothing is ever written outside of DIR: keys with '..' or an empty name in them are refused,\n"
    "and links in DIR are not followed. Such a key keeps no other from being written.\n"
    "\n"
    "  -r, --recursive            write many objects to a folder\n"
    "      --json                 say in the end what was done\n"
    "\n"
    "Examples:\n"
    "  memstore get report.pdf /tmp/report.pdf\n"
    "  memstore get --recursive site/ public\n"
    "  memstore get backup/src.tar.gz | tar tz\n"
    "  memstore get --range 0:16 report.pdf | xxd\n"
    "  memstore get --range 1M: video > rest\n";

static const char help_exists[] =
    "Usage: memstore exists KEY\n"
    "\n"
    "Prints nothing; the exit status is 0 if there is such a key and 1 if not.\n"
    "\n"
    "Examples:\n"
    "  if memstore exists job/17/done; then echo ready; fi\n"
    "  until memstore exists go; do sleep 0.1; done\n";

static const char help_rm[] =
    "Usage: memstore rm KEY…\n"
    "       memstore rm --recursive [--json] PREFIX\n"
    "       memstore rm --recursive [--json] --all\n"
    "\n"
    "Removes objects; their memory is free at once. A key that is missing does not keep the\n"
    "others from being removed; the exit status is then 1.\n"
    "\n"
    "With --recursive, all objects whose keys start with PREFIX.\n"
    "\n"
    "  -r, --recursive  remove by prefix\n"
    "      --all        every object there is, in place of a prefix\n"
    "      --json       say in the end what was done\n"
    "\n"
    "Examples:\n"
    "  memstore rm greeting report.pdf\n"
    "  memstore rm --recursive tmp/\n";

static const char help_ls[] =
    "Usage: memstore ls [-l] [-0] [-n LIMIT] [--json] [PREFIX]\n"
    "\n"
    "Lists the keys that start with PREFIX, in the order of their bytes, as of one moment. On a\n"
    "terminal, bytes that are no text are shown as \\n or \\xNN; elsewhere keys are printed as\n"
    "they are.\n"
    "\n"
    "  -l, --long         size, last change, version and content type before the key\n"
    "  -n, --limit LIMIT  at most so many\n"
    "  -0, --null         end each key with NUL in place of a newline, and never escape it\n"
    "      --json         one JSON array with all that is known; a key that is not UTF-8 is\n"
    "                     null in \"key\" and stands in \"key_base64\"\n"
    "\n"
    "Examples:\n"
    "  memstore ls images/\n"
    "  memstore ls -l -n 20\n"
    "  memstore ls --json | jq -r '.[] | select(.size > 1000000) | .key'\n";

static const char help_info[] =
    "Usage: memstore info [--json] KEY\n"
    "\n"
    "Shows size, last change, version, etag, content type and metadata of an object. The etag\n"
    "depends on the value alone: same bytes, same etag. It is no cryptographic hash.\n"
    "\n"
    "      --json  as a JSON object\n"
    "\n"
    "Examples:\n"
    "  memstore info report.pdf\n"
    "  memstore info --json report.pdf | jq -r .etag\n";

static const char help_cp[] =
    "Usage: memstore cp SOURCE TARGET\n"
    "\n"
    "Stores the object SOURCE under TARGET as well and replaces what was there. No bytes are\n"
    "copied, but they count again towards the max size.\n"
    "\n"
    "Examples:\n"
    "  memstore cp config config.bak\n";

static const char help_mv[] =
    "Usage: memstore mv SOURCE TARGET\n"
    "\n"
    "Renames the object SOURCE to TARGET and replaces what was there, in one step: nobody sees\n"
    "both or neither.\n"
    "\n"
    "Examples:\n"
    "  memstore put upload.tmp big.bin && memstore mv upload.tmp upload\n";

static const char help_url[] =
    "Usage: memstore url KEY\n"
    "\n"
    "Prints memory://KEY. It asks nobody: no daemon is needed, nor such a key. Nothing is\n"
    "percent-encoded.\n"
    "\n"
    "Examples:\n"
    "  memstore url report.pdf\n"
    "  memstore get memory://report.pdf\n";

static const char help_stats[] =
    "Usage: memstore stats [--json]\n"
    "\n"
    "Shows limits, use and counters of the store.\n"
    "\n"
    "      --json  as a JSON object; sizes in bytes, uptime_us in microseconds, max_size\n"
    "              null without a limit\n"
    "\n"
    "Examples:\n"
    "  memstore stats\n"
    "  memstore stats --json | jq .used\n";

static const char help_holders[] =
    "Usage: memstore holders [--json]\n"
    "\n"
    "Shows the processes that read the store's memory in place: process id, program, user,\n"
    "views held, bytes of the values that these keep, reads under way, age of the oldest.\n"
    "Where standard output is no terminal: a line each, with tabs, bytes and microseconds.\n"
    "\n"
    "      --json  as a JSON array; pinned in bytes, oldest_us in microseconds\n"
    "\n"
    "Examples:\n"
    "  memstore holders\n"
    "  memstore holders --json | jq '.[] | select(.pinned > 0)'\n";

static const struct help {
    const char *command;
    const char *text;
} helps[] = {
    {"put", help_put}, {"get", help_get},     {"exists", help_exists},   {"rm", help_rm},
    {"ls", help_ls},   {"info", help_info},   {"cp", help_cp},           {"mv", help_mv},
    {"url", help_url}, {"stats", help_stats}, {"holders", help_holders},
};

void help_print(const char *command)
{
    const char *text = help_general;

    for (size_t i = 0; command && i < sizeof(helps) / sizeof(helps[0]); i++) {
        if (strcmp(helps[i].command, command) == 0)
            text = helps[i].text;
    }
    fputs(text, stdout);
    if (command)
        fputs("\n'memstore --help' has the options of every command.\n", stdout);
}
