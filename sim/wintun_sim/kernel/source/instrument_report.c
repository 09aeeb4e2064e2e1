/* What is wrong with an access, in words: which bytes, of what, who gave it back and when, and which line of code.
 *
 * Bug checks that Driver Verifier's special pool would raise name the rules:
 * learn.microsoft.com/windows-hardware/drivers/devtest/special-pool.
 */
#include <stdarg.h>
#include <stdio.h>

#include "host.h"
#include "instrument.h"
#include "shadow.h"
#include "slab.h"

#define FREED  "DRIVER_PAGE_FAULT_IN_FREED_SPECIAL_POOL"
#define BEYOND "DRIVER_PAGE_FAULT_BEYOND_END_OF_ALLOCATION"
#define OPAQUE "OpaqueStructure"

enum
{
    WORDS = 320
};

void instrument_tell(const struct access *access, const char *rule, const char *format, ...)
{
    char where[WORDS];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(where, sizeof where, format, arguments);
    va_end(arguments);
    char place[256] = "the driver";
    const struct image *image = image_of(access->place);
    if (image != NULL)
        image_place(image, access->place - 1, place, sizeof place);
    rule_broken(rule, "%s %s %zu byte%s%s", place, access->flags & ACCESS_WRITE ? "writes" : "reads", access->size,
                access->size == 1 ? "" : "s", where);
}

const char *instrument_position(intptr_t offset, size_t size, char *text, size_t text_size)
{
    if (offset < 0)
        snprintf(text, text_size, ", %zd bytes before the beginning of", -offset);
    else if (offset == 0)
        snprintf(text, text_size, " at the beginning of");
    else if ((size_t)offset < size)
        snprintf(text, text_size, ", %zd bytes into", offset);
    else if ((size_t)offset == size)
        snprintf(text, text_size, " just behind the end of");
    else
        snprintf(text, text_size, ", %zu bytes behind the end of", (size_t)offset - size);
    return text;
}

static uintptr_t first_wrong_byte(const struct access *access)
{
    uintptr_t address = access->address;
    while (shadow_allows(address, 1) && address - access->address < access->size - 1)
        address++;
    return address;
}

/* Returns whether the access leaves what the host kernel lives on as it is. */
static bool report_block(const struct access *access, const struct block *block, uintptr_t wrong)
{
    const char *name = block_kind_name((enum block_kind)block->kind);
    const intptr_t offset = (intptr_t)(wrong - (uintptr_t)block_bytes(block));
    const bool inside = offset >= 0 && (uint64_t)offset < block->size;
    char where[64];
    instrument_position((intptr_t)(access->address - (uintptr_t)block_bytes(block)), block->size, where, sizeof where);
    if (!inside)
        instrument_tell(access, BEYOND, "%s %s of %llu bytes that %s allocated during operation #%u", where, name,
                        (unsigned long long)block->size, block->allocator, block->allocation);
    else if (!block_is_live(block))
        instrument_tell(access, FREED,
                        "%s %s of %llu bytes that %s freed during operation #%u (%s had allocated it during #%u)",
                        where, name, (unsigned long long)block->size, block->caller, block->operation, block->allocator,
                        block->allocation);
    else if (!arena_is_for_drivers((enum block_kind)block->kind))
        instrument_tell(access, OPAQUE, "%s %s: what is known by a handle alone is not the driver's to look at", where,
                        name);
    else if (block->kind == BLOCK_CLIENT)
        instrument_tell(access, FREED, "%s a client's buffer whose request is complete", where);
    else
        instrument_tell(access, FREED, "%s %s of %llu bytes that is not the driver's any more", where, name,
                        (unsigned long long)block->size);
    return inside && arena_is_for_drivers((enum block_kind)block->kind);
}

static bool report_slab_item(const struct access *access, struct slab_item *item, uintptr_t wrong)
{
    const struct slab *slab = item->slab;
    const intptr_t offset = (intptr_t)(wrong - (uintptr_t)(item + 1));
    const bool live = slab_live(slab, item + 1) != NULL;
    char where[64];
    instrument_position((intptr_t)(access->address - (uintptr_t)(item + 1)), slab->size, where, sizeof where);
    if (offset < 0)
        instrument_tell(access, BEYOND, "%s %s", where, slab->name);
    else if (slab->poisoned == 0)
        instrument_tell(access, OPAQUE, "%s memory of the system", where);
    else if (!live && item->operation == 0)
        instrument_tell(access, FREED, "%s %s that was never given to a driver", where, slab->name);
    else if (!live)
        instrument_tell(access, FREED, "%s %s that was given back during operation #%u", where, slab->name,
                        item->operation);
    else
        instrument_tell(access, "NblOwnership", "%s %s that the stack has and has not returned yet", where, slab->name);
    return offset >= 0 && slab->poisoned != 0;
}

void instrument_report(const struct access *access)
{
    const uintptr_t wrong = first_wrong_byte(access);
    const struct block *block = arena_block_of((const void *)wrong);
    struct slab_item *item = NULL;
    bool harmless = false;
    if (block != NULL && block->kind == BLOCK_HOST && block->tag == SLAB_TAG)
        item = slab_item_at(block_bytes(block), wrong);
    if (block == NULL)
        instrument_tell(access, BEYOND, " at an address where nothing was ever allocated");
    else
        harmless = item != NULL ? report_slab_item(access, item, wrong) : report_block(access, block, wrong);
    /* Behind a block its red zone can take a little. */
    if (!harmless && block != NULL && block_is_live(block) && item == NULL)
    {
        const uintptr_t end = (uintptr_t)block_bytes(block) + block->size;
        harmless = wrong >= end && access->address + access->size <= end + SHADOW_GRANULE;
    }
    if (!harmless && (access->flags & ACCESS_WRITE) != 0 && actor_current() != NULL)
        crash_now("what lies there is not the driver's to write: the run cannot go on");
}

void instrument_report_stack(const struct access *access)
{
    instrument_tell(access, "StackUseAfterReturn",
                    " of a stack that no function uses any more: the one whose variable it was has "
                    "returned");
}

void instrument_report_system(const struct access *access)
{
    instrument_tell(access, OPAQUE, " of the system's own state");
    if ((access->flags & ACCESS_WRITE) != 0 && actor_current() != NULL)
        crash_now("what lies there is not the driver's to write: the run cannot go on");
}
