/* Memory of this process's that can be handed to another. */
#ifndef MEMSTORE_MEMFD_H
#define MEMSTORE_MEMFD_H

#include <stdint.h>

/* Makes an empty memfd that can be sealed. Negative errno. */
int memfd_make(const char *name);

/* Bytes of the largest file that this process may make: one beyond it is SIGXFSZ, which ends
 * programs. */
uint64_t memfd_most(void);

#endif
