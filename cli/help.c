#include "help.h"

#include <stdio.h>

static const char help_general[] =
    "Usage: memstore [-s SOCKET] [-b BUCKET] COMMAND [OPTION]… [KEY]…\n"
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
    "  touch KEY              give an object a new lifetime\n"
    "  url KEY                print the memory:// url of a key\n"
    "  wait KEY               wait until there is such a key, or it changes, or is gone\n"
    "  watch [PREFIX]         print what happens to objects, as it happens\n"
    "  lock NAME -- COMMAND   run a command, one at a time\n"
    "  once KEY -- COMMAND    print a value; if there is none, one of all makes it\n"
    "  stats                  show how full the store is\n"
    "  holders                show which processes read in place and what they keep\n"
    "\n"
    "Options of every command:\n"
    "  -s, --socket SOCKET    the daemon's socket (default: $MEMSTORE_SOCKET, else\n"
    "                         /run/memstore/socket for root,\n"
    "                         $XDG_RUNTIME_DIR/memstore/socket for others)\n"
    "  -b, --bucket BUCKET    the bucket in which the keys are (default: default)\n"
    "      --timeout TIME     give up after so long (default: 5s)\n"
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
    "A key may be given as its url, memory://KEY. After -- it may begin with a dash. A TIME is\n"
    "500ms, 30s, 5m, 2h, 1d, or a plain number of seconds.\n"
    "\n"
    "Exit status: 0 yes or done, 1 no such key, 2 usage, 3 over quota or out of memory,\n"
    "4 daemon unreachable or too slow, 5 anything else, 6 others have the lock.\n";

void help_print(const char *text)
{
    fputs(text ? text : help_general, stdout);
    if (text)
        fputs("\n'memstore --help' has the options of every command.\n", stdout);
}
