/* What --help says. */
#ifndef MEMSTORE_CLI_HELP_H
#define MEMSTORE_CLI_HELP_H

/* Prints the help of a command; NULL: that of memstore as a whole. */
void help_print(const char *text);

extern const char help_put[], help_get[], help_exists[], help_rm[], help_ls[], help_info[],
    help_cp[], help_mv[], help_touch[], help_add[], help_url[];
extern const char help_wait[], help_watch[], help_lock[], help_once[];
extern const char help_bucket[], help_bucket_create[], help_bucket_drop[], help_bucket_ls[],
    help_bucket_info[], help_bucket_set[];
extern const char help_stats[], help_holders[], help_top[];

#endif
