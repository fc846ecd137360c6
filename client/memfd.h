/* Memory of this process's that can be handed to another. */
#ifndef MEMSTORE_MEMFD_H
#define MEMSTORE_MEMFD_H

/* Makes an empty memfd that can be sealed. Negative errno. */
int memfd_make(const char *name);

#endif
