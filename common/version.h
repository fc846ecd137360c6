/* The version of memstore as a whole: daemon, library and command carry the same. */
#ifndef MEMSTORE_VERSION_H
#define MEMSTORE_VERSION_H

#define MEMSTORE_VERSION "1.0.0"

#endif
