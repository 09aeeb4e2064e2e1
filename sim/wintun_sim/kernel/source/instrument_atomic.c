/* The call-outs of instrumented code for atomic operations: each is a scheduling point, and then one step that nobody
 * interrupts, since one actor runs at a time. What they do is sequentially consistent here; the memory order that was
 * asked for says what they put in order (happens.h). The strongest is a full barrier, as the Interlocked functions are
 * (learn.microsoft.com/windows/win32/sync/interlocked-variable-access).
 */
#include <stdbool.h>

#include "depend.h"
#include "happens.h"
#include "host.h"
#include "instrument.h"

/* Memory orders as the compilers number them; a few bits above them are hints. */
enum
{
    ORDER_RELAXED,
    ORDER_CONSUME,
    ORDER_ACQUIRE,
    ORDER_RELEASE,
    ORDER_BOTH,
    ORDER_FULL,
    ORDER_MASK = 7
};

/* Beyond enum access_flag: the operation reads what it then writes. */
enum
{
    ATOMIC_READS = 16
};

static bool acquires(int order)
{
    return (order & ORDER_MASK) != ORDER_RELAXED && (order & ORDER_MASK) != ORDER_RELEASE;
}

static bool releases(int order)
{
    return (order & ORDER_MASK) >= ORDER_RELEASE;
}

static bool is_barrier(unsigned flags, int order)
{
    return (flags & ATOMIC_READS) != 0 && (order & ORDER_MASK) == ORDER_FULL;
}

static void order_before(const volatile void *address, unsigned flags, int order)
{
    if (is_barrier(flags, order))
        happens_fence(false, true);
    if ((flags & ACCESS_WRITE) == 0 || (flags & ATOMIC_READS) != 0)
        happens_load(address, acquires(order));
}

static void order_after(const volatile void *address, unsigned flags, int order)
{
    if ((flags & ACCESS_WRITE) != 0)
        happens_store(address, releases(order), (flags & ATOMIC_READS) == 0);
    if (is_barrier(flags, order))
        happens_fence(true, false);
}

/* What an operation does to its place, after others had their turn. */
static void before(const volatile void *address, size_t size, unsigned flags, const void *place, int order)
{
    schedule_point(POINT_INTERLOCKED, address);
    depend_on_memory(address, size, (flags & ACCESS_WRITE) != 0 ? DEPEND_WRITE : DEPEND_READ);
    if (happens_watched())
        order_before(address, flags, order);
    instrument_access(address, size, flags | ACCESS_ATOMIC, place);
    if (happens_watched())
        order_after(address, flags, order);
}

#define PLACE __builtin_return_address(0)

#define FETCH(bits, type, name, expression)                                                  \
    static type atomic##bits##_fetch_##name(volatile type *address, type operand, int order) \
    {                                                                                        \
        before(address, sizeof(type), ACCESS_WRITE | ATOMIC_READS, PLACE, order);            \
        const type old = *address;                                                           \
        *address = (type)(expression);                                                       \
        return old;                                                                          \
    }

#define ATOMIC(bits, type)                                                                                          \
    static type atomic##bits##_load(const volatile type *address, int order)                                        \
    {                                                                                                               \
        before(address, sizeof(type), 0, PLACE, order);                                                             \
        return *address;                                                                                            \
    }                                                                                                               \
    static void atomic##bits##_store(volatile type *address, type value, int order)                                 \
    {                                                                                                               \
        before(address, sizeof(type), ACCESS_WRITE, PLACE, order);                                                  \
        *address = value;                                                                                           \
    }                                                                                                               \
    FETCH(bits, type, add, old + operand)                                                                           \
    FETCH(bits, type, sub, old - operand)                                                                           \
    FETCH(bits, type, and, old &operand)                                                                            \
    FETCH(bits, type, or, old | operand)                                                                            \
    FETCH(bits, type, xor, old ^ operand)                                                                           \
    FETCH(bits, type, nand, ~(old & operand))                                                                       \
    FETCH(bits, type, exchange, operand)                                                                            \
    static type compare_exchange##bits(volatile type *address, type expected, type value, const void *place,        \
                                       int order)                                                                   \
    {                                                                                                               \
        before(address, sizeof(type), ACCESS_WRITE | ATOMIC_READS, place, order);                                   \
        const type old = *address;                                                                                  \
        if (old == expected)                                                                                        \
            *address = value;                                                                                       \
        return old;                                                                                                 \
    }                                                                                                               \
    static int atomic##bits##_compare_exchange(volatile type *address, type *expected, type value, int success,     \
                                               int failure)                                                         \
    {                                                                                                               \
        (void)failure;                                                                                              \
        const type wanted = *expected;                                                                              \
        *expected = compare_exchange##bits(address, wanted, value, PLACE, success);                                 \
        return *expected == wanted;                                                                                 \
    }                                                                                                               \
    static type atomic##bits##_compare_exchange_val(volatile type *address, type expected, type value, int success, \
                                                    int failure)                                                    \
    {                                                                                                               \
        (void)failure;                                                                                              \
        return compare_exchange##bits(address, expected, value, PLACE, success);                                    \
    }

__extension__ typedef unsigned __int128 uint128;

ATOMIC(8, uint8_t)
ATOMIC(16, uint16_t)
ATOMIC(32, uint32_t)
ATOMIC(64, uint64_t)
ATOMIC(128, uint128)

static void fence(int order)
{
    schedule_point(POINT_INTERLOCKED, NULL);
    happens_fence(acquires(order), releases(order));
}

/* Keeps the compiler from reordering, and no processor notices it. */
static void signal_fence(int order)
{
    (void)order;
}

#define NAMED(name, function)                               \
    {                                                       \
        "__tsan_atomic" name, (void *)(uintptr_t)(function) \
    }

#define ATOMIC_EXPORTS(bits)                                                                                          \
    NAMED(#bits "_load", atomic##bits##_load), NAMED(#bits "_store", atomic##bits##_store),                           \
        NAMED(#bits "_exchange", atomic##bits##_fetch_exchange), NAMED(#bits "_fetch_add", atomic##bits##_fetch_add), \
        NAMED(#bits "_fetch_sub", atomic##bits##_fetch_sub), NAMED(#bits "_fetch_and", atomic##bits##_fetch_and),     \
        NAMED(#bits "_fetch_or", atomic##bits##_fetch_or), NAMED(#bits "_fetch_xor", atomic##bits##_fetch_xor),       \
        NAMED(#bits "_fetch_nand", atomic##bits##_fetch_nand),                                                        \
        NAMED(#bits "_compare_exchange_strong", atomic##bits##_compare_exchange),                                     \
        NAMED(#bits "_compare_exchange_weak", atomic##bits##_compare_exchange),                                       \
        NAMED(#bits "_compare_exchange_val", atomic##bits##_compare_exchange_val)

const struct export instrument_atomic_exports[] = {
    ATOMIC_EXPORTS(8),
    ATOMIC_EXPORTS(16),
    ATOMIC_EXPORTS(32),
    ATOMIC_EXPORTS(64),
    ATOMIC_EXPORTS(128),
    NAMED("_thread_fence", fence),
    NAMED("_signal_fence", signal_fence),
    EXPORTS_END,
};
