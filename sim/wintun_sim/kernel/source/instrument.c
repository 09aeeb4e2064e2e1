/* The call-outs of instrumented code for plain and volatile accesses
 * (clang.llvm.org/docs/ThreadSanitizer.html names the scheme; gcc and clang emit the same calls), and the check that
 * all of them share. This is the hottest code of the host kernel: a count, two comparisons and one look at the map.
 */
#include "instrument.h"

#include "address.h"
#include "depend.h"
#include "happens.h"
#include "host.h"
#include "scheduler.h"
#include "shadow.h"

enum
{
    LOOK_EVERY = 1 << 20 /* accesses */
};

/* Accesses without one scheduling point in between that no handler needs: the largest buffer of a client has 16 MB. */
#define ENDLESS_ACCESSES (UINT64_C(1) << 27)

/* Ends a loop that never calls the system; by counting, so that it ends at the same place every time. */
static void look_for_endless_loop(const void *place)
{
    struct instrument *instrument = &current_host->instrument;
    if (actor_current() == NULL || instrument->steps != current_host->scheduler.steps)
    {
        instrument->steps = current_host->scheduler.steps;
        instrument->since = instrument->accesses;
    }
    else if (instrument->accesses - instrument->since >= ENDLESS_ACCESSES)
    {
        char text[256] = "code that is in no image";
        const struct image *image = image_of((uintptr_t)place);
        if (image != NULL)
            image_place(image, (uintptr_t)place - 1, text, sizeof text);
        crash_now("endless loop: %llu accesses to memory without a call that others could see, the last in %s",
                  (unsigned long long)ENDLESS_ACCESSES, text);
    }
}

/* An access within the host's mapping, but not to its blocks. Returns whether it is one to the actor's own stack. */
static bool check_outside_blocks(const struct access *access, uintptr_t frame)
{
    const struct scheduler *scheduler = &current_host->scheduler;
    const size_t offset = access->address - (uintptr_t)scheduler->stacks;
    const size_t index = offset / ACTOR_STACK_STRIDE;
    if (index >= ACTOR_LIMIT)
    {
        instrument_report_system(access);
        return false;
    }
    const struct actor *actor = &scheduler->actors[index];
    const bool own = actor == scheduler->current;
    const uintptr_t lowest = own ? frame : (uintptr_t)actor->stack_pointer;
    if (offset % ACTOR_STACK_STRIDE >= ACTOR_GUARD_SIZE &&
        ((scheduler->alive >> index & 1) == 0 || access->address < lowest))
        instrument_report_stack(access);
    return own;
}

static inline __attribute__((always_inline)) void check(const volatile void *pointer, size_t size, unsigned flags,
                                                        const void *place)
{
    struct host *host = current_host;
    const struct access access = {(uintptr_t)pointer, size, flags, (uintptr_t)place};
    const size_t offset = access.address - (uintptr_t)host->arena.start;
    if (__builtin_expect(++host->instrument.accesses % LOOK_EVERY == 0, 0))
        look_for_endless_loop(place);
    if (offset < (size_t)(host->arena.limit - host->arena.start))
    {
        if (__builtin_expect(!shadow_surely_allows(&host->arena, offset, size), 0) &&
            !shadow_allows(access.address, size))
            instrument_report(&access);
        if (__builtin_expect(access.address - host->instrument.clients < host->instrument.clients_size, 0) &&
            (flags & ACCESS_WRITE) == 0 && host->scheduler.current != NULL)
            client_read(&access);
    }
    else
    {
        if (__builtin_expect(address_map_is_made, 0))
            address_check(&access);
        if (access.address - (uintptr_t)host < host->mapping_size &&
            check_outside_blocks(&access, (uintptr_t)__builtin_frame_address(0)))
            return;
    }
    if (__builtin_expect(host->instrument.observer != NULL, 0) && host->scheduler.current != NULL)
        host->instrument.observer(&access);
}

void instrument_access(const volatile void *address, size_t size, unsigned flags, const void *place)
{
    check(address, size, flags, place);
}

void instrument_range(const volatile void *address, size_t size, unsigned flags, const void *place)
{
    if (__builtin_expect(current_host->arena.shadow != NULL, 0) && size != 0)
        check(address, size, flags, place);
}

#define PLACE __builtin_return_address(0)

#define PLAIN(size)                                                  \
    static void read##size(const volatile void *address)             \
    {                                                                \
        check(address, size, 0, PLACE);                              \
    }                                                                \
    static void write##size(const volatile void *address)            \
    {                                                                \
        check(address, size, ACCESS_WRITE, PLACE);                   \
    }                                                                \
    static void volatile_read##size(const volatile void *address)    \
    {                                                                \
        schedule_point(POINT_VOLATILE, address);                     \
        depend_on_memory(address, size, DEPEND_READ);                \
        happens_load(address, false);                                \
        check(address, size, ACCESS_VOLATILE, PLACE);                \
    }                                                                \
    static void volatile_write##size(const volatile void *address)   \
    {                                                                \
        schedule_point(POINT_VOLATILE, address);                     \
        depend_on_memory(address, size, DEPEND_WRITE);               \
        check(address, size, ACCESS_VOLATILE | ACCESS_WRITE, PLACE); \
        happens_store(address, false, true);                         \
    }                                                                \
    static void read_write##size(const volatile void *address)       \
    {                                                                \
        check(address, size, 0, PLACE);                              \
        check(address, size, ACCESS_WRITE, PLACE);                   \
    }

PLAIN(1)
PLAIN(2)
PLAIN(4)
PLAIN(8)
PLAIN(16)

static void read_range(const volatile void *address, size_t size)
{
    if (size != 0)
        check(address, size, 0, PLACE);
}

static void write_range(const volatile void *address, size_t size)
{
    if (size != 0)
        check(address, size, ACCESS_WRITE, PLACE);
}

/* The compiler announces entries and exits of functions, virtual tables and itself; nobody needs that here. */
static void nothing(void)
{
}

#define NAMED(name, function)                         \
    {                                                 \
        "__tsan_" name, (void *)(uintptr_t)(function) \
    }

/* The unaligned forms are the same on processors that take any address. */
#define PLAIN_EXPORTS(size)                                                                                         \
    NAMED("read" #size, read##size), NAMED("write" #size, write##size), NAMED("unaligned_read" #size, read##size),  \
        NAMED("unaligned_write" #size, write##size), NAMED("volatile_read" #size, volatile_read##size),             \
        NAMED("volatile_write" #size, volatile_write##size),                                                        \
        NAMED("unaligned_volatile_read" #size, volatile_read##size),                                                \
        NAMED("unaligned_volatile_write" #size, volatile_write##size), NAMED("read_write" #size, read_write##size), \
        NAMED("unaligned_read_write" #size, read_write##size)

const struct export instrument_exports[] = {
    PLAIN_EXPORTS(1),
    PLAIN_EXPORTS(2),
    PLAIN_EXPORTS(4),
    PLAIN_EXPORTS(8),
    PLAIN_EXPORTS(16),
    NAMED("read_range", read_range),
    NAMED("write_range", write_range),
    NAMED("func_entry", nothing),
    NAMED("func_exit", nothing),
    NAMED("vptr_read", nothing),
    NAMED("vptr_update", nothing),
    NAMED("init", nothing),
    EXPORTS_END,
};
