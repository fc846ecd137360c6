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
