/* What is told of the commands on the whole store. */
#include "help.h"

const char help_stats[] =
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

const char help_holders[] =
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

const char help_top[] =
    "Usage: memstore top [--interval TIME] [--sort size|rate|name] [--once | --json]\n"
    "\n"
    "Shows what the store is doing: the buckets with what is in them and what happens each "
    "second,\n"
    "clients, memory, and who holds values in place. On a terminal it is a live screen; if the\n"
    "daemon goes away, it waits for the next one. HIT % is the part of the last interval's reads\n"
    "that found their object.\n"
    "\n"
    "      --interval TIME  look so often: 500ms, 5s; a plain number is seconds (default: 1)\n"
    "      --sort ORDER     by size (default), rate or name\n"
    "      --once           print what can be seen of one interval, and end; so it is also where\n"
    "                       standard input or output is no terminal\n"
    "      --json           the same as a JSON object\n"
    "\n"
    "Keys: q quits; s, r and n sort by size, rate and name; arrows, page up and down, home and "
    "end\n"
    "scroll.\n"
    "\n"
    "Examples:\n"
    "  memstore top\n"
    "  memstore top --once --interval 5 --sort rate\n"
    "  memstore top --json | jq -r '.buckets[] | [.name, .hit_rate] | @tsv'\n";
