/* The arena and the pool: whoever misuses memory is told what was done to which block. */
#include <ntddk.h>

#include "check.h"

#define TAG 0x74736554UL /* 'Test' */

TEST(fresh_and_freed_memory_is_recognisable)
{
    uint8_t *bytes = ExAllocatePoolWithTag(NonPagedPoolNx, 100, TAG);
    CHECK((uintptr_t)bytes % 16 == 0);
    for (int i = 0; i < 100; i++)
        CHECK_EQUAL(bytes[i], 0xCD);
    ExFreePoolWithTag(bytes, TAG);
    for (int i = 0; i < 100; i++)
        CHECK_EQUAL(bytes[i], 0xDD);
    bytes = ExAllocatePool2(POOL_FLAG_NON_PAGED, 100, TAG);
    for (int i = 0; i < 100; i++)
        CHECK_EQUAL(bytes[i], 0);
    CHECK_EQUAL(broken(NULL, NULL), 0);
}

TEST(freeing_twice_is_reported_and_changes_nothing)
{
    void *bytes = ExAllocatePoolWithTag(NonPagedPoolNx, 24, TAG);
    ExFreePoolWithTag(bytes, TAG);
    CHECK(!arena_free(BLOCK_POOL, bytes, TAG, "ExFreePoolWithTag"));
    CHECK_EQUAL(broken("BAD_POOL_CALLER", "ExFreePoolWithTag had freed already"), 1);
    CHECK_EQUAL(current_host->arena.live_count, 0);
}

TEST(another_tag_another_kind_and_foreign_addresses_are_refused)
{
    static const char *const words[] = {"the tag 0x00000001", "frees an MDL, but was given pool memory",
                                        "16 bytes into pool memory", "never allocated", "NULL"};
    char *bytes = ExAllocatePoolWithTag(NonPagedPoolNx, 24, TAG);
    char elsewhere;
    for (int i = 0; i < 5; i++)
    {
        log_clear();
        if (i == 0)
            CHECK(!arena_free(BLOCK_POOL, bytes, 1, "ExFreePoolWithTag"));
        else if (i == 1)
            CHECK(!arena_free(BLOCK_MDL, bytes, 0, "IoFreeMdl"));
        else if (i == 2)
            CHECK(!arena_free(BLOCK_POOL, bytes + 16, 0, "ExFreePool"));
        else if (i == 3)
            CHECK(!arena_free(BLOCK_POOL, &elsewhere, 0, "ExFreePool"));
        else
            CHECK(!arena_free(BLOCK_POOL, NULL, 0, "ExFreePool"));
        CHECK_EQUAL(broken("BAD_POOL_CALLER", words[i]), 1);
    }
    CHECK_EQUAL(current_host->arena.live_count, 1);
}

TEST(a_byte_beyond_either_end_is_found_when_the_block_is_freed)
{
    for (size_t size = 1; size < 3000; size += 7)
        for (int side = 0; side < 2; side++)
        {
            log_clear();
            uint8_t *bytes = ExAllocatePoolWithTag(NonPagedPoolNx, size, TAG);
            if (side == 0)
                bytes[size] = 0;
            else
                bytes[-1] = 0;
            ExFreePoolWithTag(bytes, TAG);
            CHECK_EQUAL(broken("BAD_POOL_HEADER", side == 0 ? "beyond the end" : "before the beginning"), 1);
        }
}

static void write_far(void *argument)
{
    memset(argument, 0x41, 400);
    ExFreePoolWithTag((uint8_t *)argument + 144, TAG);
}

TEST(a_driver_that_writes_over_whole_blocks_ends_its_run_and_not_the_process)
{
    uint8_t *first = ExAllocatePoolWithTag(NonPagedPoolNx, 40, TAG);
    uint8_t *second = ExAllocatePoolWithTag(NonPagedPoolNx, 40, TAG);
    CHECK_EQUAL(second - first, 144);
    ExAllocatePoolWithTag(NonPagedPoolNx, 40, TAG);
    struct snapshot *snapshot = snapshot_take();
    memset(first, 0x41, 400);
    arena_check();
    CHECK_EQUAL(broken("BAD_POOL_HEADER", NULL), 1);
    for (struct block *block = NULL; (block = arena_next_live(block, BLOCK_POOL, 0)) != NULL;)
        CHECK(block_bytes(block) == first);
    snapshot_restore(snapshot);
    actor_start(write_far, first, 1);
    CHECK(scheduler_run(0) == RUN_CRASHED);
    CHECK_EQUAL(count_events(HOST_EVENT_CRASHED, NULL, "memory is so far overwritten"), 1);
    CHECK_EQUAL(broken("BAD_POOL_HEADER", "a block's header overwritten"), 1);
    snapshot_delete(snapshot);
}

TEST(a_write_after_the_free_is_found_at_rest_and_when_the_memory_would_be_used_again)
{
    uint8_t *bytes = ExAllocatePoolWithTag(NonPagedPoolNx, 64, TAG);
    ExFreePoolWithTag(bytes, TAG);
    arena_check();
    CHECK_EQUAL(broken(NULL, NULL), 0);
    bytes[40] = 1;
    arena_check();
    CHECK_EQUAL(broken("DRIVER_PAGE_FAULT_IN_FREED_SPECIAL_POOL", "64 bytes was written after ExFreePoolWithTag"), 1);
    log_clear();
    for (int i = 0; i < 1000; i++)
        ExFreePoolWithTag(ExAllocatePoolWithTag(NonPagedPoolNx, 200, TAG), TAG);
    CHECK_EQUAL(broken("DRIVER_PAGE_FAULT_IN_FREED_SPECIAL_POOL", "64 bytes"), 1);
}

TEST(any_address_in_a_block_finds_it)
{
    struct block *blocks[200];
    for (size_t i = 0; i < 200; i++)
        blocks[i] = (struct block *)arena_allocate(BLOCK_POOL, i * i * 3, TAG, "test") - 1;
    for (size_t i = 0; i < 200; i++)
    {
        uint8_t *bytes = block_bytes(blocks[i]);
        for (size_t at = 0; at < blocks[i]->size; at += 1 + at / 5)
            CHECK(arena_block_of(bytes + at) == blocks[i]);
        CHECK(arena_block_of(blocks[i]) == blocks[i]);
    }
    char elsewhere;
    CHECK(arena_block_of(&elsewhere) == NULL);
    CHECK(arena_block_of(NULL) == NULL);
    CHECK(arena_block_of(current_host->arena.end) == NULL);
}

TEST(memory_is_used_again_and_an_exhausted_arena_gives_null)
{
    for (int round = 0; round < 100000; round++)
    {
        void *large = arena_allocate(BLOCK_CLIENT, 61440, 0, "test");
        CHECK(large != NULL);
        CHECK(arena_free(BLOCK_CLIENT, large, 0, "test"));
        if (round % 1000 == 0)
            CHECK((size_t)(current_host->arena.end - current_host->arena.start) < 4 << 20);
    }
    unsigned count = 0;
    while (ExAllocatePoolWithTag(NonPagedPoolNx, 1 << 20, TAG) != NULL)
        count += 1;
    CHECK(count > 40 && count < 64);
    CHECK(ExAllocatePoolWithTag(NonPagedPoolNx, SIZE_MAX, TAG) == NULL);
    CHECK(ExAllocatePoolWithTag(NonPagedPoolNx, SIZE_MAX / 2, TAG) == NULL);
    CHECK_EQUAL(broken(NULL, NULL), 0);
}

TEST(random_allocations_never_overlap_and_keep_what_they_hold)
{
    enum
    {
        SLOTS = 300
    };
    static struct
    {
        uint8_t *bytes;
        size_t size;
        uint8_t value;
    } slots[SLOTS];
    uint64_t state[4];
    oracle_seed(state, 42);
    for (int step = 0; step < 100000; step++)
    {
        unsigned slot = oracle_draw(state, SLOTS);
        if (slots[slot].bytes != NULL)
        {
            for (size_t i = 0; i < slots[slot].size; i++)
                CHECK(slots[slot].bytes[i] == slots[slot].value);
            ExFreePoolWithTag(slots[slot].bytes, TAG);
            slots[slot].bytes = NULL;
            continue;
        }
        slots[slot].size = oracle_draw(state, 1U << oracle_draw(state, 13)) + 1;
        slots[slot].value = (uint8_t)step;
        slots[slot].bytes = ExAllocatePoolWithTag(NonPagedPoolNx, slots[slot].size, TAG);
        CHECK(slots[slot].bytes != NULL);
        memset(slots[slot].bytes, slots[slot].value, slots[slot].size);
    }
    arena_check();
    CHECK_EQUAL(broken(NULL, NULL), 0);
}

static void leak_three(void *argument)
{
    struct image *image = argument;
    struct call call;
    call_enter(&call, "MiniportInitializeEx", PASSIVE_LEVEL, image);
    ExAllocatePoolWithTag(NonPagedPoolNx, 10, TAG);
    ExAllocatePoolWithTag(NonPagedPoolNx, 20, TAG);
    arena_allocate(BLOCK_MDL, 48, 0, "IoAllocateMdl");
    call_leave(&call);
    arena_allocate(BLOCK_POOL, 5, TAG, "the host");
}

TEST(a_block_knows_whose_code_allocated_it_and_for_which_operation)
{
    struct image *image = &current_host->images.of[2];
    image->index = 2;
    image->loaded = true;
    actor_start(leak_three, image, 7);
    CHECK(scheduler_run(0) == RUN_QUIESCENT);
    unsigned count = 0;
    for (struct block *block = NULL; (block = arena_next_live(block, BLOCK_NONE, image_number(image))) != NULL;)
    {
        CHECK_EQUAL(block->operation, 7);
        count += 1;
    }
    CHECK_EQUAL(count, 3);
    CHECK(arena_next_live(NULL, BLOCK_MDL, image_number(image))->size == 48);
    CHECK(strcmp(arena_next_live(NULL, BLOCK_MDL, 0)->caller, "IoAllocateMdl") == 0);
    image->loaded = false;
}

TEST(an_armed_fault_fails_the_allocations_it_was_armed_for)
{
    struct host_fault fault = {.kind = HOST_FAULT_POOL, .after = 1, .count = 2};
    CHECK(fault_arm(&fault));
    CHECK(ExAllocatePool2(POOL_FLAG_NON_PAGED, 8, TAG) != NULL);
    CHECK(ExAllocatePool2(POOL_FLAG_NON_PAGED, 8, TAG) == NULL);
    CHECK(ExAllocatePool2(POOL_FLAG_NON_PAGED, 8, TAG) == NULL);
    CHECK(ExAllocatePool2(POOL_FLAG_NON_PAGED, 8, TAG) != NULL);
    fault.kind = HOST_FAULT_KINDS;
    CHECK(!fault_arm(&fault));
}

TEST(misused_pool_functions_are_reported_by_name)
{
    CHECK(ExAllocatePool2(0, 8, TAG) == NULL);
    CHECK_EQUAL(broken("BAD_POOL_CALLER", "exactly one kind of pool"), 1);
    log_clear();
    CHECK(ExAllocatePool2(POOL_FLAG_NON_PAGED, 8, 0) == NULL);
    CHECK_EQUAL(broken("BAD_POOL_CALLER", "tag 0"), 1);
    ExAllocatePoolWithTag(NonPagedPoolNx, 0, TAG);
    CHECK_EQUAL(broken("DRIVER_VERIFIER_DETECTED_VIOLATION", "no bytes at all"), 1);
    ExAllocatePool(NonPagedPool, 8);
    CHECK_EQUAL(
        broken("UnSafeAllocatePool", "learn.microsoft.com/windows-hardware/drivers/devtest/wdm-unsafeallocatepool"), 1);
}
