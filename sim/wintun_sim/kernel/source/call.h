/* Every call from the host into a driver is wrapped in call_enter and call_leave: the actor gets the handler's IRQL and
 * the image as the owner of what it allocates; on return the IRQL must be as it was, and no lock may be held that was
 * not held before.
 */
#ifndef WINTUN_SIM_CALL_H
#define WINTUN_SIM_CALL_H

#include <stdint.h>

struct image;

struct call
{
    const char *handler; /* this one's */
    const char *outer_handler;
    struct image *outer_image;
    uint32_t outer_operation;
    uint8_t outer_irql;
    uint8_t irql;
    uint8_t held_count;
};

/* `handler` is a literal, as in messages: "MiniportPause". `irql` is never lowered: a handler called from
 * DISPATCH_LEVEL stays there, and one that must run at PASSIVE_LEVEL is the caller's duty. Called by an actor.
 */
void call_enter(struct call *call, const char *handler, uint8_t irql, struct image *image);

/* Likewise, on behalf of `operation` (call_leave restores the actor's). */
void call_enter_for(struct call *call, const char *handler, uint8_t irql, struct image *image, uint32_t operation);

/* Checks IrqlReturn, SpinLockBalanced, CancelSpinLock; releases and restores what the handler left behind, so that the
 * run goes on. */
void call_leave(struct call *call);

#endif
