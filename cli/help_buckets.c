/* What is told of the commands on buckets. */
#include "help.h"

const char help_bucket[] =
    "Usage: memstore bucket create|drop|ls|info|set …\n"
    "\n"
    "A bucket is a part of the store with keys, limits and counters of its own. The limits of the\n"
    "store hold for all of them together. There is always one that is called default.\n"
    "\n"
    "  create NAME  make a bucket\n"
    "  drop NAME…   remove buckets with all that is in them\n"
    "  ls           list the buckets\n"
    "  info NAME    show settings and counters of a bucket\n"
    "  set NAME     change the settings of a bucket\n"
    "\n"
    "Each of them has a --help of its own. All other commands work on the bucket of the option\n"
    "-b, or that of $MEMSTORE_BUCKET, or else on default.\n"
    "\n"
    "Examples:\n"
    "  memstore bucket create --max-size 64M --policy lru --ttl 10m cache\n"
    "  echo hello | memstore put -b cache greeting\n"
    "  MEMSTORE_BUCKET=cache memstore get greeting\n"
    "  memstore bucket ls -l\n"
    "  memstore bucket create --ephemeral test-$$ -- make check\n"
    "  memstore bucket drop cache\n";

#define SETTINGS                                                                                 \
    "      --max-size SIZE    bytes that all its values may have; K, M and G count in 1024s;\n"  \
    "                         'none' is no limit\n"                                              \
    "      --max-objects N    as many objects; 'none' is no limit\n"                             \
    "      --policy POLICY    what becomes of a put that has no room: 'refuse' refuses it, "     \
    "'lru'\n"                                                                                    \
    "                         removes what was used least recently\n"                            \
    "      --ttl TIME         lifetime of what is put without one: 500ms, 30s, 5m, 2h, 1d, or\n" \
    "                         'never'\n"

const char help_bucket_create[] =
    "Usage: memstore bucket create [--max-size SIZE] [--max-objects N] [--policy refuse|lru]\n"
    "                              [--ttl TIME] [--exist-ok] NAME\n"
    "       memstore bucket create --ephemeral [OPTION]… NAME -- COMMAND [ARGUMENT]…\n"
    "\n"
    "Makes a bucket. Its name is 1 to 64 letters, digits, '.', '_' and '-'. If there is one of "
    "that\n"
    "name, the exit status is 6.\n"
    "\n" SETTINGS "      --exist-ok         one that is there is fine, and stays as it is\n"
    "      --ephemeral        run COMMAND with MEMSTORE_BUCKET=NAME; the bucket is gone with all\n"
    "                         that is in it when COMMAND ends, or memstore, however that ends.\n"
    "                         The exit status is that of COMMAND\n"
    "\n"
    "Examples:\n"
    "  memstore bucket create results\n"
    "  memstore bucket create --max-size 64M --policy lru cache\n"
    "  memstore bucket create --exist-ok --max-objects 1000 --ttl 1d sessions\n"
    "  memstore bucket create --ephemeral test-$$ -- sh -c 'memstore put k file; memstore ls'\n";

const char help_bucket_drop[] = "Usage: memstore bucket drop NAME…\n"
                                "\n"
                                "Removes buckets with all that is in them, whoever uses them. "
                                "Quota and name are free at once.\n"
                                "A bucket that is missing does not keep the others from being "
                                "dropped; the exit status is then\n"
                                "1. default cannot be dropped.\n"
                                "\n"
                                "Examples:\n"
                                "  memstore bucket drop cache\n"
                                "  memstore bucket ls | grep ^test- | xargs memstore bucket drop\n";

const char help_bucket_ls[] =
    "Usage: memstore bucket ls [-l] [--json]\n"
    "\n"
    "Lists the buckets by name.\n"
    "\n"
    "  -l, --long  bytes used, max size, objects, max objects, policy, lifetime and name; where\n"
    "              standard output is no terminal with tabs, and a column more, before the name,\n"
    "              for what is ephemeral\n"
    "      --json  one JSON array with all that is known\n"
    "\n"
    "Examples:\n"
    "  memstore bucket ls -l\n"
    "  memstore bucket ls --json | jq -r '.[] | select(.ephemeral) | .name'\n";

const char help_bucket_info[] =
    "Usage: memstore bucket info [--json] NAME\n"
    "\n"
    "Shows settings and counters of a bucket. Those from puts on count since the daemon's start.\n"
    "\n"
    "      --json  as a JSON object; what has no limit is null\n"
    "\n"
    "Examples:\n"
    "  memstore bucket info cache\n"
    "  memstore bucket info --json cache | jq '.hits / (.hits + .misses)'\n";

const char help_bucket_set[] =
    "Usage: memstore bucket set [--max-size SIZE] [--max-objects N] [--policy refuse|lru]\n"
    "                           [--ttl TIME] NAME\n"
    "\n"
    "Changes settings of a bucket; what is not named stays. A limit may be below what is used: "
    "then\n"
    "nothing grows until there is room again, or, with lru, the next puts make it.\n"
    "\n" SETTINGS "\n"
    "Examples:\n"
    "  memstore bucket set --max-size 128M cache\n"
    "  memstore bucket set --max-size none --policy refuse cache\n";
