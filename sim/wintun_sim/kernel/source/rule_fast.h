/* The checks that come with every packet, so cheap that they can stay on: what is as it must be is seen in place, and
 * only what is not costs a call. */
#ifndef WINTUN_SIM_RULE_FAST_H
#define WINTUN_SIM_RULE_FAST_H

#include "host.h"

/* rule_irql from PASSIVE_LEVEL up to DISPATCH_LEVEL. */
static inline void check_at_most_dispatch(const char *rule, const char *function)
{
    const struct actor *actor = current_host->scheduler.current;
    if (actor == NULL || actor->irql > 2)
        (void)rule_irql(rule, function, 0, 2);
}

/* rule_no_spin_lock. */
static inline void check_no_spin_lock(const char *rule, const char *function)
{
    const struct actor *actor = current_host->scheduler.current;
    if (actor == NULL || actor->held_count != 0)
        (void)rule_no_spin_lock(rule, function);
}

/* instrument_range, which has something to look at in an instrumented image only. */
static inline void check_range(const volatile void *address, size_t size, unsigned flags, const void *place)
{
    if (__builtin_expect(current_host->arena.shadow != NULL, 0))
        instrument_range(address, size, flags, place);
}

#endif
