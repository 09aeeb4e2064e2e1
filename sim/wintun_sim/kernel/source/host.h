/* The whole world of one simulated machine, as one struct at the start of one arena.
 *
 * Everything of the host and of the driver that can change lives in that arena or in the writable segments of the
 * loaded images, so a snapshot is a copy of memory and a restore brings the world back byte for byte (snapshot.c). What
 * is only output (the log, the recorded choices) lies outside, and the counts that say how much of it is valid lie
 * inside.
 *
 * One thread is in a host at a time: host_enter() takes a process-wide mutex and sets current_host. Nothing here may
 * depend on addresses, on the wall clock or on anything else that differs between two runs of the same choices.
 */
#ifndef WINTUN_SIM_HOST_H
#define WINTUN_SIM_HOST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "actor.h"
#include "arena.h"
#include "call.h"
#include "clock.h"
#include "crash.h"
#include "exports.h"
#include "fault.h"
#include "image.h"
#include "instrument.h"
#include "lock.h"
#include "log.h"
#include "oracle.h"
#include "rules.h"
#include "snapshot.h"
#include "watch.h"
#include "work.h"

/* Rooms that are built upon this core allocate their state from the arena (BLOCK_HOST) and keep the pointer here. */
struct io_room;
struct ndis_room;
struct api_room;
struct gate;
struct fault_sites;

struct happens;

struct host
{
    struct arena arena;
    struct scheduler scheduler;
    struct virtual_clock clock;
    struct log log;
    struct locks locks;
    struct work work;
    struct images images;
    struct faults faults;
    struct crash crash;
    struct instrument instrument;
    uint32_t operation; /* what is being carried out while no actor runs; 0: nothing */
    size_t mapping_size;
    /* Outside the arena, the same for the host's whole life: */
    struct watch *watch;   /* not NULL */
    struct oracle *oracle; /* not NULL; oracle_first until somebody puts another one here, and deletes the one before */
    struct image_files *image_files;
    struct lock_order *lock_order; /* not NULL */
    struct happens *happens;       /* happens.h */
    /* The rooms that are built upon this core: */
    struct io_room *io;
    struct ndis_room *ndis;
    struct api_room *api;
    struct fault_sites *sites; /* outside the arena; NULL: no site is watched */
    struct gate *gate;         /* NULL: every operation may begin at any time */
};

/* The host that the calling thread has entered. */
extern struct host *current_host;

/* The actor that is running; NULL outside scheduler_run(). */
static inline struct actor *actor_current(void)
{
    return current_host->scheduler.current;
}

/* Makes a host with an arena of `arena_size` bytes (0: the default, 256 MiB of address space, committed as used).
 * Returns NULL and a sentence in `error` when the system refuses. The caller has not entered it yet.
 */
struct host *host_open(size_t arena_size, char *error, size_t error_size);

/* Unloads all images and gives all memory back. The caller must not have entered any host. */
void host_close(struct host *host);

/* Every call from outside is wrapped in these. host_enter waits for a thread that is in any host. */
void host_enter(struct host *host);
void host_leave(void);

#endif
