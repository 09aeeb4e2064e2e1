/* stack_switch(void **save, void *load) for x86-64 (System V) and AArch64 (AAPCS64): saves the registers that a
 * function must preserve on the old stack, and takes them from the new one. switch.h says the rest.
 */
#if defined(__APPLE__)
#define NAME(name) _##name
#else
#define NAME(name) name
#endif

#if defined(SWITCH_BY_UCONTEXT)
#elif defined(__x86_64__)
    .text
    .globl NAME(stack_switch)
#if defined(__ELF__)
    .hidden stack_switch
    .type stack_switch, @function
#endif
    .p2align 4
NAME(stack_switch):
    .cfi_startproc
    pushq %rbp
    pushq %rbx
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    movq %rsp, (%rdi)
    movq %rsi, %rsp
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %rbx
    popq %rbp
    ret
    .cfi_endproc

/* Where a new stack begins: the entry is in rbx, and there is no caller to unwind to. */
    .globl NAME(stack_entry)
#if defined(__ELF__)
    .hidden stack_entry
    .type stack_entry, @function
#endif
NAME(stack_entry):
    .cfi_startproc
    .cfi_undefined %rip
    callq *%rbx
    ud2
    .cfi_endproc

#elif defined(__aarch64__)
    .text
    .globl NAME(stack_switch)
#if defined(__ELF__)
    .hidden stack_switch
    .type stack_switch, %function
#endif
    .p2align 4
NAME(stack_switch):
    .cfi_startproc
    sub sp, sp, #160
    stp x19, x20, [sp, #0]
    stp x21, x22, [sp, #16]
    stp x23, x24, [sp, #32]
    stp x25, x26, [sp, #48]
    stp x27, x28, [sp, #64]
    stp x29, x30, [sp, #80]
    stp d8, d9, [sp, #96]
    stp d10, d11, [sp, #112]
    stp d12, d13, [sp, #128]
    stp d14, d15, [sp, #144]
    mov x9, sp
    str x9, [x0]
    mov sp, x1
    ldp x19, x20, [sp, #0]
    ldp x21, x22, [sp, #16]
    ldp x23, x24, [sp, #32]
    ldp x25, x26, [sp, #48]
    ldp x27, x28, [sp, #64]
    ldp x29, x30, [sp, #80]
    ldp d8, d9, [sp, #96]
    ldp d10, d11, [sp, #112]
    ldp d12, d13, [sp, #128]
    ldp d14, d15, [sp, #144]
    add sp, sp, #160
    ret
    .cfi_endproc

    .globl NAME(stack_entry)
#if defined(__ELF__)
    .hidden stack_entry
    .type stack_entry, %function
#endif
NAME(stack_entry):
    .cfi_startproc
    .cfi_undefined x30
    blr x19
    brk #0
    .cfi_endproc
#endif

#if defined(__linux__) && defined(__ELF__)
    .section .note.GNU-stack,"",%progbits
#endif
