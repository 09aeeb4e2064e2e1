/* Faults by the place of the call: which call sites of the driver ask for what may fail, and one of them that fails.
 *
 * A site is the address in an image from which the host kernel was called, and what it asked for. Whoever explores puts
 * one of these where current_host->sites points to; outside of the arena.
 */
#ifndef WINTUN_SIM_FAULT_SITE_H
#define WINTUN_SIM_FAULT_SITE_H

#include <stdbool.h>

#include "../explore_api.h"

struct fault_sites
{
    struct host_fault_site *found; /* each site once, in the order in which they were met; NULL until one was */
    size_t count;
    size_t capacity;
    struct host_fault_site wanted; /* which one the oracle is asked about; kind HOST_FAULT_KINDS: none */
    bool struck;                   /* it failed in this run: once is enough */
};

/* Whether this attempt fails. */
bool fault_site_strikes(struct fault_sites *sites, enum host_fault_kind kind);

#endif
