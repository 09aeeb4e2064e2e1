/* Deferred work: work items run as actors at PASSIVE_LEVEL, DPCs as actors at DISPATCH_LEVEL, timers in virtual time.
 */
#ifndef WINTUN_SIM_WORK_H
#define WINTUN_SIM_WORK_H

#include <stdint.h>

struct image;

struct work
{
    uint32_t queued; /* work items and DPCs that have not ended */
};

/* Work items, DPCs and timers of that image (0: any) that are queued, running or armed: what must be none when it
 * unloads. */
uint32_t work_pending(uint16_t image);

#endif
