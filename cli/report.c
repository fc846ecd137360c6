#include "report.h"

#include "arguments.h"
#include "client/memstore.h"
#include "json_report.h"
#include "print.h"

#include <stdlib.h>

enum status report_stats(struct memstore *store, const struct arguments *arguments)
{
    struct memstore_stats stats;
    int error = memstore_stats(store, &stats, sizeof(stats));

    if (error)
        return complain_store(error);
    return arguments->is_json ? json_stats(&stats) : print_stats(&stats);
}

enum status report_holders(struct memstore *store, const struct arguments *arguments)
{
    struct memstore_holder *holders;
    enum status status;
    size_t count;
    int error = memstore_holders(store, &holders, &count, sizeof(*holders));

    if (error)
        return complain_store(error);
    status = arguments->is_json ? json_holders(holders, count) : print_holders(holders, count);
    free(holders);
    return status;
}
