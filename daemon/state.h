/* The state page (common/state.h), as the daemon has it. */
#ifndef MEMSTORED_STATE_H
#define MEMSTORED_STATE_H

#include <stdint.h>

struct state_page;

/* Makes the page in the folder, or goes on with the one that is there. Negative errno. */
int state_open(int folder, struct state_page **ret_page);
void state_close(struct state_page *page);

/* Buckets were dropped or set, and that is committed. */
void state_move_buckets(struct state_page *page);

/* A commit: the newest version, and how many marks there are. */
void state_tell(struct state_page *page, uint64_t version, uint64_t marks);

#endif
