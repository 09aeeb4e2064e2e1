/* The world as it was: struct host, blocks, actors with the live part of their stacks, and the globals of all images.
 */
#ifndef WINTUN_SIM_SNAPSHOT_H
#define WINTUN_SIM_SNAPSHOT_H

#include <stddef.h>
#include <stdint.h>

struct snapshot;

/* Outside of actors. NULL when memory runs out. */
struct snapshot *snapshot_take(void);

/* Brings the current host back to it. The images loaded then must still be loaded. */
void snapshot_restore(const struct snapshot *snapshot);

void snapshot_delete(struct snapshot *snapshot);

/* Bytes that a restore copies. */
size_t snapshot_size(const struct snapshot *snapshot);

#endif
