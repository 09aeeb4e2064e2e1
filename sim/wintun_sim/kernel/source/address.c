/* The map of what separates variables, its marks, and the call-outs that ask it (address.h). */
#define _GNU_SOURCE
#include "address.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "host.h"

enum
{
    GRANULE = 8,
    FRAME_START = 0xF1, /* marks, as the compilers write them */
    VARIABLE_GONE = 0xF8,
    GLOBAL_END = 0xF9,
    FRAME_LIMIT = 1 << 16,
    NAME_LIMIT = 64
};

#define ADDRESS_SPACE ((uint64_t)1 << 47)
#define FRAME_MAGIC   UINT64_C(0x41B58AB3)

/* What the compilers pass of each global variable. */
struct global
{
    uintptr_t start;
    uint64_t size;
    uint64_t size_with_gap;
    const char *name;
    const char *file;
    uint64_t has_dynamic_start;
    const void *location;
    uint64_t indicator;
};

/* One list of an object file. */
struct globals
{
    const struct global *first;
    uint64_t count;
};

bool address_map_is_made;

static uint8_t *mark_of(uintptr_t address)
{
    return (uint8_t *)(address / GRANULE + ADDRESS_MAP);
}

static bool make_map(char *error, size_t error_size)
{
    if (address_map_is_made)
        return true;
    void *wanted = mark_of(0);
    void *map = mmap(wanted, ADDRESS_SPACE / GRANULE, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1, 0);
    if (map != wanted)
    {
        snprintf(error, error_size, "the map that its address sanitizer needs cannot be made: %s",
                 map == MAP_FAILED ? strerror(errno) : "its place is taken");
        if (map != MAP_FAILED)
            munmap(map, ADDRESS_SPACE / GRANULE);
        return false;
    }
    address_map_is_made = true;
    return true;
}

static void mark_gap(const struct global *global)
{
    uintptr_t address = global->start + global->size;
    const uintptr_t end = global->start + global->size_with_gap;
    if (address % GRANULE != 0)
    {
        *mark_of(address) = (uint8_t)(address % GRANULE);
        address += GRANULE - address % GRANULE;
    }
    for (; address < end; address += GRANULE)
        *mark_of(address) = GLOBAL_END;
}

bool address_image_loaded(const uint64_t *table, char *error, size_t error_size)
{
    if (!make_map(error, error_size))
        return false;
    const struct globals *lists = (const struct globals *)(const void *)(table + 1);
    for (uint64_t list = 0; list < table[0]; list++)
        for (uint64_t index = 0; index < lists[list].count; index++)
            mark_gap(&lists[list].first[index]);
    return true;
}

void address_forget(const void *start, size_t size)
{
    if (address_map_is_made)
        memset(mark_of((uintptr_t)start), 0, size / GRANULE);
}

/* The first byte of the access that lies in a gap, or 0. */
static uintptr_t first_wrong(uintptr_t address, size_t size)
{
    const uintptr_t end = address + size;
    while (address < end)
    {
        const uintptr_t next = address / GRANULE * GRANULE + GRANULE;
        const uint8_t mark = *mark_of(address);
        const uintptr_t good = mark == 0 ? next : mark < GRANULE ? next - GRANULE + mark : next - GRANULE;
        if (good < next && good < end)
            return good < address ? address : good;
        address = next;
    }
    return 0;
}

/* One variable: what it is called, where it begins and how large it is. */
struct variable
{
    char name[NAME_LIMIT];
    uintptr_t start;
    uint64_t size;
};

static uint64_t read_number(const char **text)
{
    uint64_t value = 0;
    while (**text >= '0' && **text <= '9')
        value = value * 10 + (uint64_t)(*(*text)++ - '0');
    if (**text == ' ')
        *text += 1;
    return value;
}

/* The variable of the frame around `wrong` that lies nearest before it, from the compiler's words for the frame:
 * "2 32 4 1 a 48 10 1 b:7" are two variables, at 32 and at 48, of 4 and 10 bytes. */
static bool find_on_stack(uintptr_t wrong, struct variable *variable)
{
    uintptr_t frame = wrong / GRANULE * GRANULE;
    size_t steps = 0;
    while (*mark_of(frame) != FRAME_START && ++steps < FRAME_LIMIT)
        frame -= GRANULE;
    while (*mark_of(frame - GRANULE) == FRAME_START && ++steps < FRAME_LIMIT)
        frame -= GRANULE;
    const uint64_t *words = (const uint64_t *)frame;
    if (steps >= FRAME_LIMIT || words[0] != FRAME_MAGIC || image_of(words[1]) == NULL)
        return false;
    const char *text = (const char *)(uintptr_t)words[1];
    bool found = false;
    for (uint64_t left = read_number(&text); left != 0; left--)
    {
        const uint64_t offset = read_number(&text);
        const uint64_t size = read_number(&text);
        const size_t length = (size_t)read_number(&text);
        if (!found || frame + offset <= wrong)
        {
            snprintf(variable->name, sizeof variable->name, "%.*s", (int)strcspn(text, ": "), text);
            variable->start = frame + offset;
            variable->size = size;
            found = true;
        }
        text += length + (text[length] == ' ');
    }
    return found;
}

static bool find_global(uintptr_t wrong, const struct image *image, struct variable *variable)
{
    const uint64_t *table = image_symbol(image, "wintun_sim_globals");
    const struct globals *lists = (const struct globals *)(const void *)(table + 1);
    for (uint64_t list = 0; table != NULL && list < table[0]; list++)
        for (uint64_t index = 0; index < lists[list].count; index++)
        {
            const struct global *global = &lists[list].first[index];
            if (wrong < global->start || wrong >= global->start + global->size_with_gap)
                continue;
            snprintf(variable->name, sizeof variable->name, "%s", global->name);
            variable->start = global->start;
            variable->size = global->size;
            return true;
        }
    return false;
}

static void report(const struct access *access, uintptr_t wrong)
{
    struct variable variable = {"?", access->address, 0};
    const struct image *image = image_of(wrong);
    const bool known = image != NULL ? find_global(wrong, image, &variable) : find_on_stack(wrong, &variable);
    if (!known)
        instrument_tell(access, "DRIVER_OVERRAN_STACK_BUFFER", " between variables");
    else
    {
        char where[64];
        instrument_position((intptr_t)(access->address - variable.start), (size_t)variable.size, where, sizeof where);
        instrument_tell(
            access, image != NULL ? "DRIVER_PAGE_FAULT_BEYOND_END_OF_ALLOCATION" : "DRIVER_OVERRAN_STACK_BUFFER",
            "%s the %s variable %s of %llu bytes%s", where, image != NULL ? "global" : "local", variable.name,
            (unsigned long long)variable.size, *mark_of(wrong) == VARIABLE_GONE ? ", which is out of scope" : "");
    }
}

void address_check(const struct access *access)
{
    if (access->address >= ADDRESS_SPACE - access->size)
        return;
    const uintptr_t wrong = first_wrong(access->address, access->size);
    if (wrong != 0)
        report(access, wrong);
}

static void check(const volatile void *address, size_t size, unsigned flags, const void *place)
{
    if (size != 0)
        instrument_access(address, size, flags, place);
}

#define PLACE __builtin_return_address(0)

#define SIZED(size)                                       \
    static void load##size(const volatile void *address)  \
    {                                                     \
        check(address, size, 0, PLACE);                   \
    }                                                     \
    static void store##size(const volatile void *address) \
    {                                                     \
        check(address, size, ACCESS_WRITE, PLACE);        \
    }

SIZED(1)
SIZED(2)
SIZED(4)
SIZED(8)
SIZED(16)

static void load_n(const volatile void *address, size_t size)
{
    check(address, size, 0, PLACE);
}

static void store_n(const volatile void *address, size_t size)
{
    check(address, size, ACCESS_WRITE, PLACE);
}

#define SET_MARKS(value)                                  \
    static void set_##value(uint8_t *marks, size_t count) \
    {                                                     \
        memset(marks, 0x##value, count);                  \
    }

SET_MARKS(00)
SET_MARKS(f1)
SET_MARKS(f2)
SET_MARKS(f3)
SET_MARKS(f5)
SET_MARKS(f8)

/* Arrays whose length is known at run time: a gap before and behind. */
static void alloca_poison(uintptr_t address, size_t size)
{
    memset(mark_of(address - 32), 0xCA, 32 / GRANULE);
    const uintptr_t end = (address + size) / GRANULE * GRANULE;
    if ((address + size) % GRANULE != 0)
        *mark_of(end) = (uint8_t)((address + size) % GRANULE);
    const uintptr_t gap = (address + size + GRANULE - 1) / GRANULE * GRANULE;
    const uintptr_t last = (address + size + 31) / 32 * 32 + 32;
    memset(mark_of(gap), 0xCB, (last - gap) / GRANULE);
}

static void allocas_unpoison(uintptr_t top, uintptr_t bottom)
{
    if (top != 0 && top < bottom)
        memset(mark_of(top), 0, (bottom - top) / GRANULE);
}

static void nothing(void)
{
}

#define NAMED(name, function)                         \
    {                                                 \
        "__asan_" name, (void *)(uintptr_t)(function) \
    }
#define SIZED_EXPORTS(size) NAMED("load" #size "_noabort", load##size), NAMED("store" #size "_noabort", store##size)

const struct export address_exports[] = {
    SIZED_EXPORTS(1),
    SIZED_EXPORTS(2),
    SIZED_EXPORTS(4),
    SIZED_EXPORTS(8),
    SIZED_EXPORTS(16),
    NAMED("loadN_noabort", load_n),
    NAMED("storeN_noabort", store_n),
    NAMED("set_shadow_00", set_00),
    NAMED("set_shadow_f1", set_f1),
    NAMED("set_shadow_f2", set_f2),
    NAMED("set_shadow_f3", set_f3),
    NAMED("set_shadow_f5", set_f5),
    NAMED("set_shadow_f8", set_f8),
    NAMED("alloca_poison", alloca_poison),
    NAMED("allocas_unpoison", allocas_unpoison),
    NAMED("handle_no_return", nothing),
    NAMED("before_dynamic_init", nothing),
    NAMED("after_dynamic_init", nothing),
    EXPORTS_END,
};
