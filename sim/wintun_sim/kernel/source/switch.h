/* Changing stacks. On x86-64 and AArch64 a few lines of assembly (switch.S), elsewhere ucontext (switch.c). */
#ifndef WINTUN_SIM_SWITCH_H
#define WINTUN_SIM_SWITCH_H

#if !defined(__x86_64__) && !defined(__aarch64__) && !defined(SWITCH_BY_UCONTEXT)
#define SWITCH_BY_UCONTEXT 1 /* a build may also ask for it, to prove it where there is assembly */
#endif

/* Stores where the caller stands in *save and goes on where `load` says. Returns when somebody switches back. Signal
 * masks, and the floating point unit's control words, which kernel code leaves alone, are not switched.
 */
void stack_switch(void **save, void *load);

/* A value for `load` that calls `entry`, which must never return, on the stack that ends below `top`. */
void *stack_prepare(void *bottom, void *top, void (*entry)(void));

#endif
