/* SPDX-License-Identifier: MIT
 *
 * The Interlocked family, ordered reads and writes, and barriers.
 *
 * On Windows these are compiler intrinsics, never imports. Interlocked operations without a suffix are full barriers
 * (learn.microsoft.com/windows/win32/sync/interlocked-variable-access), so each is a sequentially consistent atomic
 * here. Any IRQL.
 */
#ifndef NT_INTERLOCKED_H
#define NT_INTERLOCKED_H

#include "ntdef.h"

#define NT_INTERLOCKED_ADDEND(name, type, order)                                     \
    FORCEINLINE type InterlockedIncrement##name(type volatile *target)               \
    {                                                                                \
        return __atomic_add_fetch(target, 1, order);                                 \
    }                                                                                \
    FORCEINLINE type InterlockedDecrement##name(type volatile *target)               \
    {                                                                                \
        return __atomic_sub_fetch(target, 1, order);                                 \
    }                                                                                \
    FORCEINLINE type InterlockedExchange##name(type volatile *target, type value)    \
    {                                                                                \
        return __atomic_exchange_n(target, value, order);                            \
    }                                                                                \
    FORCEINLINE type InterlockedExchangeAdd##name(type volatile *target, type value) \
    {                                                                                \
        return __atomic_fetch_add(target, value, order);                             \
    }                                                                                \
    FORCEINLINE type InterlockedAdd##name(type volatile *target, type value)         \
    {                                                                                \
        return __atomic_add_fetch(target, value, order);                             \
    }                                                                                \
    FORCEINLINE type InterlockedAnd##name(type volatile *target, type value)         \
    {                                                                                \
        return __atomic_fetch_and(target, value, order);                             \
    }                                                                                \
    FORCEINLINE type InterlockedOr##name(type volatile *target, type value)          \
    {                                                                                \
        return __atomic_fetch_or(target, value, order);                              \
    }                                                                                \
    FORCEINLINE type InterlockedXor##name(type volatile *target, type value)         \
    {                                                                                \
        return __atomic_fetch_xor(target, value, order);                             \
    }

#define NT_INTERLOCKED_COMPARE(name, type, order, failure)                                              \
    FORCEINLINE type InterlockedCompareExchange##name(type volatile *target, type value, type expected) \
    {                                                                                                   \
        __atomic_compare_exchange_n(target, &expected, value, 0, order, failure);                       \
        return expected;                                                                                \
    }

NT_INTERLOCKED_ADDEND(, LONG, __ATOMIC_SEQ_CST)
NT_INTERLOCKED_ADDEND(Acquire, LONG, __ATOMIC_ACQUIRE)
NT_INTERLOCKED_ADDEND(Release, LONG, __ATOMIC_RELEASE)
NT_INTERLOCKED_ADDEND(NoFence, LONG, __ATOMIC_RELAXED)
NT_INTERLOCKED_ADDEND(64, LONG64, __ATOMIC_SEQ_CST)
NT_INTERLOCKED_ADDEND(Acquire64, LONG64, __ATOMIC_ACQUIRE)
NT_INTERLOCKED_ADDEND(Release64, LONG64, __ATOMIC_RELEASE)
NT_INTERLOCKED_ADDEND(NoFence64, LONG64, __ATOMIC_RELAXED)
NT_INTERLOCKED_ADDEND(16, SHORT, __ATOMIC_SEQ_CST)
NT_INTERLOCKED_ADDEND(8, CHAR, __ATOMIC_SEQ_CST)
NT_INTERLOCKED_COMPARE(, LONG, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)
NT_INTERLOCKED_COMPARE(Acquire, LONG, __ATOMIC_ACQUIRE, __ATOMIC_ACQUIRE)
NT_INTERLOCKED_COMPARE(Release, LONG, __ATOMIC_RELEASE, __ATOMIC_RELAXED)
NT_INTERLOCKED_COMPARE(NoFence, LONG, __ATOMIC_RELAXED, __ATOMIC_RELAXED)
NT_INTERLOCKED_COMPARE(64, LONG64, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)
NT_INTERLOCKED_COMPARE(Acquire64, LONG64, __ATOMIC_ACQUIRE, __ATOMIC_ACQUIRE)
NT_INTERLOCKED_COMPARE(Release64, LONG64, __ATOMIC_RELEASE, __ATOMIC_RELAXED)
NT_INTERLOCKED_COMPARE(NoFence64, LONG64, __ATOMIC_RELAXED, __ATOMIC_RELAXED)
NT_INTERLOCKED_COMPARE(16, SHORT, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)
NT_INTERLOCKED_COMPARE(Pointer, PVOID, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)
NT_INTERLOCKED_COMPARE(PointerAcquire, PVOID, __ATOMIC_ACQUIRE, __ATOMIC_ACQUIRE)
NT_INTERLOCKED_COMPARE(PointerRelease, PVOID, __ATOMIC_RELEASE, __ATOMIC_RELAXED)
NT_INTERLOCKED_COMPARE(PointerNoFence, PVOID, __ATOMIC_RELAXED, __ATOMIC_RELAXED)

/* Drivers pass the address of a pointer of any type, with or without volatile, as Microsoft's compiler lets them. */
FORCEINLINE PVOID NtInterlockedExchangePointer(void volatile *target, PVOID value)
{
    return __atomic_exchange_n((PVOID volatile *)target, value, __ATOMIC_SEQ_CST);
}
#define InterlockedExchangePointer(target, value)        NtInterlockedExchangePointer((target), (PVOID)(value))
#define InterlockedExchangePointerAcquire(target, value) InterlockedExchangePointer(target, value)
#define InterlockedExchangePointerNoFence(target, value) InterlockedExchangePointer(target, value)
#define InterlockedCompareExchangePointer(target, value, expected) \
    InterlockedCompareExchangePointer((PVOID volatile *)(target), (PVOID)(value), (PVOID)(expected))
#define InterlockedCompareExchangePointerAcquire(target, value, expected) \
    InterlockedCompareExchangePointerAcquire((PVOID volatile *)(target), (PVOID)(value), (PVOID)(expected))
#define InterlockedCompareExchangePointerRelease(target, value, expected) \
    InterlockedCompareExchangePointerRelease((PVOID volatile *)(target), (PVOID)(value), (PVOID)(expected))
#define InterlockedCompareExchangePointerNoFence(target, value, expected) \
    InterlockedCompareExchangePointerNoFence((PVOID volatile *)(target), (PVOID)(value), (PVOID)(expected))

FORCEINLINE ULONG InterlockedIncrementULong(ULONG volatile *target)
{
    return __atomic_add_fetch(target, 1, __ATOMIC_SEQ_CST);
}

FORCEINLINE UCHAR InterlockedBitTestAndSet(LONG volatile *base, LONG bit)
{
    LONG mask = (LONG)(1u << (bit & 31));
    return (__atomic_fetch_or(base + (bit >> 5), mask, __ATOMIC_SEQ_CST) & mask) != 0;
}

FORCEINLINE UCHAR InterlockedBitTestAndReset(LONG volatile *base, LONG bit)
{
    LONG mask = (LONG)(1u << (bit & 31));
    return (__atomic_fetch_and(base + (bit >> 5), ~mask, __ATOMIC_SEQ_CST) & mask) != 0;
}

/* learn.microsoft.com/windows-hardware/drivers/ddi/wdm/nf-wdm-readacquire and its kin. */
#define NT_ORDERED_ACCESS(name, type)                                        \
    FORCEINLINE type Read##name##Acquire(type const volatile *source)        \
    {                                                                        \
        return __atomic_load_n(source, __ATOMIC_ACQUIRE);                    \
    }                                                                        \
    FORCEINLINE type Read##name##NoFence(type const volatile *source)        \
    {                                                                        \
        return __atomic_load_n(source, __ATOMIC_RELAXED);                    \
    }                                                                        \
    FORCEINLINE type Read##name##Raw(type const volatile *source)            \
    {                                                                        \
        return __atomic_load_n(source, __ATOMIC_RELAXED);                    \
    }                                                                        \
    FORCEINLINE void Write##name##Release(type volatile *target, type value) \
    {                                                                        \
        __atomic_store_n(target, value, __ATOMIC_RELEASE);                   \
    }                                                                        \
    FORCEINLINE void Write##name##NoFence(type volatile *target, type value) \
    {                                                                        \
        __atomic_store_n(target, value, __ATOMIC_RELAXED);                   \
    }                                                                        \
    FORCEINLINE void Write##name##Raw(type volatile *target, type value)     \
    {                                                                        \
        __atomic_store_n(target, value, __ATOMIC_RELAXED);                   \
    }
NT_ORDERED_ACCESS(, LONG)
NT_ORDERED_ACCESS(ULong, ULONG)
NT_ORDERED_ACCESS(64, LONG64)
NT_ORDERED_ACCESS(ULong64, ULONG64)
NT_ORDERED_ACCESS(Pointer, PVOID)
NT_ORDERED_ACCESS(8, CHAR)
NT_ORDERED_ACCESS(UChar, UCHAR)
NT_ORDERED_ACCESS(16, SHORT)
NT_ORDERED_ACCESS(UShort, USHORT)

#define ReadPointerAcquire(source)         ReadPointerAcquire((PVOID const volatile *)(source))
#define ReadPointerNoFence(source)         ReadPointerNoFence((PVOID const volatile *)(source))
#define ReadPointerRaw(source)             ReadPointerRaw((PVOID const volatile *)(source))
#define WritePointerRelease(target, value) WritePointerRelease((PVOID volatile *)(target), (PVOID)(value))
#define WritePointerNoFence(target, value) WritePointerNoFence((PVOID volatile *)(target), (PVOID)(value))
#define WritePointerRaw(target, value)     WritePointerRaw((PVOID volatile *)(target), (PVOID)(value))

#define MemoryBarrier()               __atomic_thread_fence(__ATOMIC_SEQ_CST)
#define KeMemoryBarrier()             __atomic_thread_fence(__ATOMIC_SEQ_CST)
#define KeMemoryBarrierWithoutFence() __atomic_signal_fence(__ATOMIC_SEQ_CST)
#define _ReadWriteBarrier()           __atomic_signal_fence(__ATOMIC_SEQ_CST)
#define YieldProcessor()              __asm__ __volatile__("" ::: "memory")

#endif
