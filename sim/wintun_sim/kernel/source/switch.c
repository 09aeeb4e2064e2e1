/* The first frame of a new stack (switch.h), as stack_switch in switch.S expects to find it; ucontext where that has no
 * code. */
#include "switch.h"

#include <stddef.h>
#include <stdint.h>

#if defined(SWITCH_BY_UCONTEXT)
#include <stdlib.h>
#include <ucontext.h>

void stack_switch(void **save, void *load)
{
    ucontext_t here;
    *save = &here;
    if (swapcontext(&here, load) != 0)
        abort();
}

void *stack_prepare(void *bottom, void *top, void (*entry)(void))
{
    size_t room = ((sizeof(ucontext_t) + 63) / 64) * 64;
    ucontext_t *context = (ucontext_t *)(void *)((uint8_t *)top - room);
    if (getcontext(context) != 0)
        abort();
    context->uc_stack.ss_sp = bottom;
    context->uc_stack.ss_size = (size_t)((uint8_t *)context - (uint8_t *)bottom);
    context->uc_link = NULL;
    makecontext(context, entry, 0);
    return context;
}

#else

void stack_entry(void);

void *stack_prepare(void *bottom, void *top, void (*entry)(void))
{
    (void)bottom;
#if defined(__x86_64__)
    enum
    {
        RBX = 4,
        RETURN_ADDRESS = 6,
        WORDS = 9 /* so that stack_entry finds the stack aligned for its call */
    };
    uintptr_t *frame = (uintptr_t *)top - WORDS;
    for (int i = 0; i < WORDS; i++)
        frame[i] = 0;
    frame[RBX] = (uintptr_t)entry;
    frame[RETURN_ADDRESS] = (uintptr_t)stack_entry;
#else
    enum
    {
        X19 = 0,
        X30 = 11,
        WORDS = 20
    };
    uintptr_t *frame = (uintptr_t *)top - WORDS;
    for (int i = 0; i < WORDS; i++)
        frame[i] = 0;
    frame[X19] = (uintptr_t)entry;
    frame[X30] = (uintptr_t)stack_entry;
#endif
    return frame;
}

#endif
