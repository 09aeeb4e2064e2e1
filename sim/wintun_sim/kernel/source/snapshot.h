/* The world as it was: struct host, blocks, actors with the live part of their stacks, and the globals of all images.
 */
#ifndef WINTUN_SIM_SNAPSHOT_H
#define WINTUN_SIM_SNAPSHOT_H

#include <stddef.h>
#include <stdint.h>

struct snapshot;

/* Memory among the blocks that a snapshot leaves alone. */
struct snapshot_hole
{
    uint8_t *start;
    size_t size;
};

enum
{
    SNAPSHOT_HOLES = 64
};

/* Outside of actors. NULL when memory runs out. */
struct snapshot *snapshot_take(void);

/* The same without what lies in `holes`, at most SNAPSHOT_HOLES of them in rising order: whoever takes it restores that
 * by other means. */
struct snapshot *snapshot_take_without(const struct snapshot_hole *holes, size_t count);

/* Brings the current host back to it. The images loaded then must still be loaded. */
void snapshot_restore(const struct snapshot *snapshot);

void snapshot_delete(struct snapshot *snapshot);

/* Bytes that a restore copies. */
size_t snapshot_size(const struct snapshot *snapshot);

#endif
