/* The map of what drivers may touch, held against a map of single bytes, and who is told of accesses. */
#include <ntddk.h>

#include "address.h"
#include "check.h"
#include "shadow.h"

#define TAG 0x74736554

enum
{
    LARGEST = 100
};

/* Every range around blocks of every size: right if and only if it lies within the bytes that were asked for. */
TEST(the_map_knows_each_byte_of_a_block_of_any_size)
{
    shadow_begin();
    for (size_t size = 1; size <= LARGEST; size++)
    {
        uint8_t *bytes = ExAllocatePoolWithTag(NonPagedPoolNx, size, TAG);
        for (ptrdiff_t start = -20; start < (ptrdiff_t)size + 20; start++)
            for (size_t length = 1; length <= 40; length++)
            {
                const bool inside = start >= 0 && (size_t)start + length <= size;
                const uintptr_t address = (uintptr_t)(bytes + start);
                const size_t offset = address - (uintptr_t)current_host->arena.start;
                CHECK(shadow_allows(address, length) == inside);
                if (length <= 16 && shadow_surely_allows(&current_host->arena, offset, length))
                    CHECK(inside);
            }
        ExFreePoolWithTag(bytes, TAG);
        CHECK(!shadow_allows((uintptr_t)bytes, 1));
    }
}

TEST(the_map_begins_with_what_is_allocated_already)
{
    uint8_t *before = ExAllocatePoolWithTag(NonPagedPoolNx, 33, TAG);
    uint8_t *gone = ExAllocatePoolWithTag(NonPagedPoolNx, 33, TAG);
    ExFreePoolWithTag(gone, TAG);
    CHECK(current_host->arena.shadow == NULL);
    shadow_begin();
    CHECK(shadow_allows((uintptr_t)before, 33) && !shadow_allows((uintptr_t)before, 34));
    CHECK(!shadow_allows((uintptr_t)gone, 1));
}

TEST(a_restore_brings_the_map_back_too)
{
    shadow_begin();
    uint8_t *kept = ExAllocatePoolWithTag(NonPagedPoolNx, 48, TAG);
    struct snapshot *snapshot = snapshot_take();
    ExFreePoolWithTag(kept, TAG);
    uint8_t *later = ExAllocatePoolWithTag(NonPagedPoolNx, 5000, TAG);
    CHECK(shadow_allows((uintptr_t)later, 5000));
    snapshot_restore(snapshot);
    CHECK(shadow_allows((uintptr_t)kept, 48));
    CHECK(!shadow_allows((uintptr_t)later, 1));
    snapshot_delete(snapshot);
}

static unsigned seen;
static struct access last;

static void observe(const struct access *access)
{
    seen++;
    last = *access;
}

static uint8_t global[16];

static void touch(void *argument)
{
    uint64_t local = 0;
    instrument_access(&local, sizeof local, ACCESS_WRITE, NULL);
    CHECK_EQUAL(seen, 0); /* nobody else can reach it */
    instrument_access(global, 4, 0, NULL);
    CHECK_EQUAL(seen, 1);
    instrument_access((uint8_t *)argument + 8, 8, ACCESS_WRITE | ACCESS_ATOMIC, NULL);
}

TEST(whoever_looks_for_data_races_is_told_of_every_access_but_those_to_ones_own_stack)
{
    shadow_begin();
    uint8_t *bytes = ExAllocatePoolWithTag(NonPagedPoolNx, 64, TAG);
    current_host->instrument.observer = observe;
    actor_start(touch, bytes, 1);
    CHECK(scheduler_run(0) == RUN_QUIESCENT);
    CHECK_EQUAL(seen, 2);
    CHECK(last.address == (uintptr_t)(bytes + 8) && last.size == 8 && last.flags == (ACCESS_WRITE | ACCESS_ATOMIC));
    CHECK_EQUAL(count_events(HOST_EVENT_RULE_BROKEN, NULL, NULL), 0);
}

static void use_stack_of_ended(void *argument)
{
    instrument_access(*(uint8_t **)argument, 4, 0, NULL);
}

static uintptr_t left_behind;

static void leave_variable(void *argument)
{
    uint32_t local = 0;
    (void)argument;
    left_behind = (uintptr_t)&local;
    instrument_access(&local, sizeof local, ACCESS_WRITE, NULL);
}

TEST(a_variable_of_an_actor_that_has_ended_is_nobodys)
{
    shadow_begin();
    actor_start(leave_variable, NULL, 1);
    CHECK(scheduler_run(0) == RUN_QUIESCENT);
    CHECK_EQUAL(count_events(HOST_EVENT_RULE_BROKEN, NULL, NULL), 0);
    static uint8_t *pointer;
    pointer =
        (uint8_t *)(left_behind - ACTOR_STACK_SIZE / 2); /* where this actor, which gets the same stack, has nothing */
    actor_start(use_stack_of_ended, &pointer, 2);
    CHECK(scheduler_run(0) == RUN_QUIESCENT);
    CHECK_EQUAL(count_events(HOST_EVENT_RULE_BROKEN, "StackUseAfterReturn", NULL), 1);
}
