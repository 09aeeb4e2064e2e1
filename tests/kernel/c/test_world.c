/* The world as a whole: snapshots, crashes, and what the runtime library prints. */
#include <ntddk.h>
#include <ntstrsafe.h>

#include "check.h"
#include "scheduler.h"

#define TAG 0x74736554UL

static uint8_t *copy_of_world(size_t *size)
{
    const struct host *host = current_host;
    size_t used = (size_t)(host->arena.end - host->arena.start);
    size_t actors = ACTOR_LIMIT * sizeof(struct actor);
    *size = sizeof *host + actors + used;
    uint8_t *copy = malloc(*size);
    memcpy(copy, host, sizeof *host);
    memcpy(copy + sizeof *host, host->scheduler.actors, actors);
    memcpy(copy + sizeof *host + actors, host->arena.start, used);
    return copy;
}

static KEVENT *world_event;

static void wait_in_the_middle(void *argument)
{
    uint32_t *values = argument;
    char *memory = ExAllocatePool2(POOL_FLAG_NON_PAGED, 1000, TAG);
    values[0] += 1;
    KeWaitForSingleObject(world_event, Executive, KernelMode, FALSE, NULL);
    DbgPrint("round %u", values[0] * 10 + values[1]);
    values[1] += 1;
    ExFreePoolWithTag(memory, TAG);
}

static void signal_world(void *argument)
{
    (void)argument;
    KeSetEvent(world_event, IO_NO_INCREMENT, FALSE);
}

TEST(a_restore_brings_back_every_byte_and_a_blocked_actor_goes_on_from_there)
{
    world_event = arena_allocate(BLOCK_HOST, sizeof *world_event, 0, "test");
    uint32_t *values = arena_allocate(BLOCK_HOST, 100, 0, "test");
    KeInitializeEvent(world_event, SynchronizationEvent, FALSE);
    actor_start(wait_in_the_middle, values, 1);
    CHECK(scheduler_run(0) == RUN_BLOCKED);
    size_t size, size_again;
    uint8_t *before = copy_of_world(&size);
    struct snapshot *snapshot = snapshot_take();
    for (int round = 0; round < 3; round++)
    {
        actor_start(signal_world, NULL, 2);
        CHECK(scheduler_run(0) == RUN_QUIESCENT);
        CHECK_EQUAL(values[1], 1);
        CHECK_EQUAL(count_events(HOST_EVENT_PRINTED, NULL, "round 10"), 1);
        for (int i = 0; i < 500; i++)
            ExFreePoolWithTag(ExAllocatePoolWithTag(NonPagedPoolNx, 3000, TAG), TAG);
        snapshot_restore(snapshot);
        uint8_t *after = copy_of_world(&size_again);
        CHECK_EQUAL(size_again, size);
        CHECK(memcmp(before, after, size) == 0);
        CHECK_EQUAL(count_events(HOST_EVENT_PRINTED, NULL, NULL), 0);
        free(after);
    }
    free(before);
    snapshot_delete(snapshot);
}

static void read_through(void *argument)
{
    *(volatile int *)argument = 1;
}

static void run_crash(void *address, const char *words)
{
    struct snapshot *snapshot = snapshot_take();
    actor_start(read_through, address, 3);
    CHECK(scheduler_run(0) == RUN_CRASHED);
    CHECK_EQUAL(count_events(HOST_EVENT_CRASHED, NULL, words), 1);
    CHECK(current_host->crash.crashed);
    snapshot_restore(snapshot);
    CHECK(!current_host->crash.crashed);
    snapshot_delete(snapshot);
}

TEST(a_crash_ends_the_run_with_its_place_and_the_host_can_be_restored)
{
    for (int round = 0; round < 3; round++)
    {
        run_crash((void *)0x18, "access violation at NULL + 0x18, in the host kernel");
        run_crash((void *)(uintptr_t)0xDDDDDDDDDDDDDDD0, "a pointer that is no address");
        run_crash(current_host->scheduler.stacks, "beyond the end of the stack");
    }
}

static unsigned depth_of(unsigned depth)
{
    volatile char room[4096];
    room[0] = (char)depth;
    return depth == 0 ? (unsigned)room[0] : depth_of(depth - 1) + (unsigned)room[0];
}

static void recurse(void *argument)
{
    (void)argument;
    depth_of(1000000);
}

TEST(a_stack_that_overflows_is_a_crash_of_the_driver)
{
    actor_start(recurse, NULL, 1);
    CHECK(scheduler_run(0) == RUN_CRASHED);
    CHECK_EQUAL(count_events(HOST_EVENT_CRASHED, NULL, "beyond the end of the stack"), 1);
}

static void divide(void *argument)
{
    volatile int zero = argument != NULL;
    __asm__ volatile("" ::: "memory");
#if defined(__x86_64__)
    int quotient = 1, remainder = 0;
    __asm__ volatile("idivl %2" : "+a"(quotient), "+d"(remainder) : "r"(zero));
#else
    __builtin_trap();
#endif
}

TEST(a_division_by_zero_is_a_crash_of_the_driver)
{
    actor_start(divide, NULL, 1);
    CHECK(scheduler_run(0) == RUN_CRASHED);
    CHECK_EQUAL(count_events(HOST_EVENT_CRASHED, NULL, "in the host kernel"), 1);
}

static void assert_something(void *argument)
{
    struct call call;
    (void)argument;
    call_enter(&call, "MiniportPause", PASSIVE_LEVEL, NULL);
    RtlAssert((PVOID) "Adapter->Active == 0", (PVOID) "C:\\driver\\state.c", 42, NULL);
}

TEST(a_failed_assertion_ends_the_run_with_its_words)
{
    actor_start(assert_something, NULL, 1);
    CHECK(scheduler_run(0) == RUN_CRASHED);
    CHECK_EQUAL(
        count_events(HOST_EVENT_CRASHED, NULL, "MiniportPause: assertion failed: Adapter->Active == 0 (state.c:42)"),
        1);
}

static int print(char *text, size_t size, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int count = _vsnprintf(text, size, format, arguments);
    va_end(arguments);
    return count;
}

static int print_wide(WCHAR *text, size_t size, const WCHAR *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int count = _vsnwprintf(text, size, format, arguments);
    va_end(arguments);
    return count;
}

#define PRINTS(expected, ...)                                                   \
    do                                                                          \
    {                                                                           \
        char text_[64];                                                         \
        CHECK_EQUAL(print(text_, sizeof text_, __VA_ARGS__), strlen(expected)); \
        if (strcmp(text_, expected) != 0)                                       \
            fprintf(stderr, "<%s>\n", text_);                                   \
        CHECK(strcmp(text_, expected) == 0);                                    \
    } while (0)

TEST(printf_follows_windows)
{
    UNICODE_STRING name;
    ANSI_STRING narrow;
    RtlInitUnicodeString(&name, L"\\Device\\WINTUN");
    RtlInitAnsiString(&narrow, "narrow");
    PRINTS("-5 5 +5  5 00005", "%d %u %+d % d %05d", -5, 5, 5, 5, 5);
    PRINTS("[   -7] [-7   ] [-0007]", "[%5d] [%-5d] [%05d]", -7, -7, -7);
    PRINTS("ff FF 0xff 0XFF 17 000a", "%x %X %#x %#X %o %.4x", 255, 255, 255, 255, 15, 10);
    PRINTS("18446744073709551615 -1 ffffffffffffffff", "%I64u %lld %I64x", UINT64_MAX, -1LL, UINT64_MAX);
    PRINTS("4294967295 -1 -1", "%lu %ld %I32d", 0xFFFFFFFFU, -1, -1);
    PRINTS("65535 -1", "%hu %hd", 0x1FFFF, 0xFFFF);
    PRINTS("0000000000001234", "%p", (void *)0x1234);
    PRINTS("text te tex|  text|text  |", "%s %.2s %.*s|%6s|%-6s|", "text", "text", 3, "text", "text", "text");
    PRINTS("wide wide \\Device\\WINTUN narrow", "%ws %S %wZ %Z", L"wide", L"wide", &name, &narrow);
    PRINTS("(null) (null) a%", "%s %wZ %c%%", NULL, NULL, 'a');
    WCHAR wide[8];
    CHECK_EQUAL(print_wide(wide, 8, L"%s-%hs", L"abc", "xyz"), 7);
    CHECK(wide[0] == 'a' && wide[6] == 'z' && wide[7] == 0);
    CHECK_EQUAL(print_wide(wide, 8, L"%u", 12345678), 8);
    CHECK_EQUAL((unsigned)print_wide(wide, 8, L"%u", 123456789), (unsigned)-1);
}

TEST(counted_strings_stay_within_their_buffers)
{
    WCHAR room[4];
    UNICODE_STRING small, source;
    RtlInitEmptyUnicodeString(&small, room, sizeof room);
    RtlInitUnicodeString(&source, L"abcdef");
    RtlCopyUnicodeString(&small, &source);
    CHECK_EQUAL(small.Length, 8);
    CHECK(RtlAppendUnicodeToString(&small, L"x") == STATUS_BUFFER_TOO_SMALL);
    small.Length = 2;
    CHECK(RtlAppendUnicodeToString(&small, L"xy") == STATUS_SUCCESS);
    CHECK(small.Length == 6 && room[1] == 'x' && room[3] == 0);
    CHECK(RtlEqualUnicodeString(&source, &source, FALSE));
    UNICODE_STRING upper;
    RtlInitUnicodeString(&upper, L"ABCDEF");
    CHECK(RtlEqualUnicodeString(&source, &upper, TRUE) && !RtlEqualUnicodeString(&source, &upper, FALSE));
    GUID guid = {0x01234567, 0x89AB, 0xCDEF, {0, 1, 2, 3, 4, 5, 6, 7}}, parsed;
    UNICODE_STRING text;
    CHECK(RtlStringFromGUID(&guid, &text) == STATUS_SUCCESS);
    UNICODE_STRING expected;
    RtlInitUnicodeString(&expected, L"{01234567-89AB-CDEF-0001-020304050607}");
    CHECK(RtlEqualUnicodeString(&text, &expected, FALSE));
    CHECK(RtlGUIDFromString(&text, &parsed) == STATUS_SUCCESS && memcmp(&guid, &parsed, sizeof guid) == 0);
    RtlFreeUnicodeString(&text);
    CHECK(RtlGUIDFromString(&upper, &parsed) == STATUS_INVALID_PARAMETER);
    ULONG value;
    RtlInitUnicodeString(&text, L" 0x1F");
    CHECK(RtlUnicodeStringToInteger(&text, 0, &value) == STATUS_SUCCESS && value == 31);
    CHECK_EQUAL(broken(NULL, NULL), 0);
}

TEST(every_export_has_one_name)
{
    const char *previous = "";
    for (size_t i = 0; export_name(i) != NULL; i++)
    {
        CHECK(strcmp(previous, export_name(i)) < 0);
        CHECK(export_find(export_name(i)) != NULL);
        previous = export_name(i);
    }
    CHECK(export_find("NoSuchFunction") == NULL);
}
