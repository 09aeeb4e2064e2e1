/* Calls into drivers (call.h). */
#include "call.h"

#include "host.h"
#include "object.h"

#include <string.h>

enum
{
    SPOILED = 4096 /* bytes: more than the frames of a handler and of what it calls take */
};

void call_enter_for(struct call *call, const char *handler, uint8_t irql, struct image *image, uint32_t operation)
{
    struct actor *actor = actor_current();
    call->handler = handler;
    call->outer_handler = actor->handler;
    call->outer_image = actor->image;
    call->outer_operation = actor->operation;
    call->outer_irql = actor->irql;
    call->irql = irql > actor->irql ? irql : actor->irql;
    call->held_count = actor->held_count;
    call->unchecked = false;
    actor->handler = handler;
    actor->image = image;
    actor->operation = operation;
    actor->irql = call->irql;
    actor->call_depth += 1;
    if (image != NULL && !image->loaded)
        crash_now("%s lies in a driver image that was unloaded", handler);
}

void call_enter(struct call *call, const char *handler, uint8_t irql, struct image *image)
{
    call_enter_for(call, handler, irql, image, actor_current()->operation);
}

void __attribute__((noinline)) call_spoil_stack(void)
{
    uint8_t rubbish[SPOILED];
    memset(rubbish, 0xCD, sizeof rubbish);
    __asm__ volatile("" : : "r"(rubbish) : "memory");
}

/* The locks beyond the expected number are the handler's own; fewer than that, and it released one that was not its. */
static void check_locks(const struct call *call, struct actor *actor)
{
    if (actor->held_count == call->held_count)
        return;
    if (actor->held_count < call->held_count)
    {
        rule_broken("SpinLockBalanced", "%s returned and has released a lock that its caller held", call->handler);
        return;
    }
    const struct held_lock *last = &actor->held[actor->held_count - 1];
    rule_broken(last->family == LOCK_CANCEL ? "CancelSpinLock" : "SpinLockBalanced", "%s returned with a %s held",
                call->handler, lock_family_name((enum lock_family)last->family));
    lock_drop(actor, call->held_count);
}

void call_leave(struct call *call)
{
    struct actor *actor = actor_current();
    if (!call->unchecked)
    {
        check_locks(call, actor);
        if (actor->irql != call->irql)
            rule_broken("IrqlReturn", "%s was called at IRQL %u and returned at IRQL %u", call->handler, call->irql,
                        actor->irql);
        actor->irql = call->outer_irql;
    }
    actor->call_depth -= 1;
    if (actor->attached && actor->call_depth == 0)
        process_detach_all(actor);
    actor->handler = call->outer_handler;
    actor->image = call->outer_image;
    actor->operation = call->outer_operation;
}
