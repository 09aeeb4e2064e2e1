/* Which operation may begin: the books of lifecycle.Ledger, kept where operations are carried out.
 *
 * An actor whose next operation may not begin waits at the gate and is not runnable, so that no schedule is wasted on
 * it. When nobody can go on and nothing is under way that could change that, the first that waits is refused, and its
 * actor goes on with its next operation. Operations that name what another actor has yet to bring into being wait too.
 */
#ifndef WINTUN_SIM_GATE_H
#define WINTUN_SIM_GATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../explore_api.h"

struct gate;

/* Whether the operation might begin now. */
enum host_admission gate_ask(const struct host_operation *operation);

/* The same, and it begins, or its name is that of something refused. */
enum host_admission gate_admit(const struct host_operation *operation);

/* The call has returned. */
void gate_end(const struct host_operation *operation);

/* Admits the operation for the running actor, which waits until it may begin. False, after logging why, when it is
 * refused. With no gate: a scheduling point unless it is the actor's `first` operation. */
bool gate_pass(const struct host_operation *operation, bool first);

/* Lets an actor that was just started wait for its first operation. */
struct actor;
void gate_hold(struct actor *actor, const struct host_operation *operation);

/* Says what an actor that waits before the gate would use by going on (depend.h). */
void gate_uses(const struct actor *actor);

/* For the scheduler: makes those who wait runnable, or not, by what has happened since; refuses the first of them when
 * nobody else can go on. */
void gate_update(void);
bool gate_refuse_first(void);

/* Takes note of what was logged since the last time. */
void gate_catch_up(void);

/* To be called before the log is cleared. */
void gate_forget_log(void);

#endif
