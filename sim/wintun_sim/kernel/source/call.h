/* Every call from the host into a driver is wrapped in call_enter and call_leave: the actor gets the handler's IRQL and
 * the image as the owner of what it allocates; on return the IRQL must be as it was, and the locks held must be those
 * of before.
 */
#ifndef WINTUN_SIM_CALL_H
#define WINTUN_SIM_CALL_H

#include <stdbool.h>
#include <stdint.h>

struct image;

struct call
{
    const char *handler; /* this one's */
    const char *outer_handler;
    struct image *outer_image;
    uint32_t outer_operation;
    uint8_t outer_irql; /* what the actor has again after call_leave */
    /* What must be so on return. Set by call_enter; a caller whose handler changes them by right (a cancel routine
     * releases the cancel spin lock and lowers the IRQL to Irp->CancelIrql) changes them after call_enter, outer_irql
     * too. */
    uint8_t irql;
    uint8_t held_count;
    bool unchecked; /* neither is checked, and both stay as the handler left them: a CSQ's lock and unlock routines */
};

/* `handler` is a literal, as in messages: "MiniportPause". `irql` never lowers: what is called from DISPATCH_LEVEL
 * stays there, and that a handler may not be called so is its caller's business. Called by an actor.
 */
void call_enter(struct call *call, const char *handler, uint8_t irql, struct image *image);

/* Likewise, on behalf of `operation`; call_leave gives the actor its own again. */
void call_enter_for(struct call *call, const char *handler, uint8_t irql, struct image *image, uint32_t operation);

/* Leaves rubbish on the stack where the next handler will lie: what it never writes is as random on Windows. For those
 * that are called seldom. Called by an actor. */
void call_spoil_stack(void);

/* Checks IrqlReturn, SpinLockBalanced, CancelSpinLock; takes back what the handler left behind, so that the run goes
 * on. */
void call_leave(struct call *call);

#endif
