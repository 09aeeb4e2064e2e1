/* The runtime library that drivers import: memory and C strings, printf, debug output, assertions, bug checks.
 *
 * An assertion that fails, a bug check and an exception that nobody handles end the run, as they would end Windows.
 */
#include <ntddk.h>
#include <ntstrsafe.h>
#include <stdio.h>

#include "format.h"
#include "host.h"
#include "rule_fast.h"

enum
{
    DBGPRINT_LIMIT = 512 /* bytes; DbgPrint cuts there */
};

/* Count when the text fits exactly, without a terminating zero; -1 when it does not. */
static int finish(const struct format_output *output)
{
    if (output->count < output->capacity)
    {
        if (output->wide != NULL)
            output->wide[output->count] = 0;
        else
            output->narrow[output->count] = 0;
    }
    return output->count <= output->capacity && output->count <= INT32_MAX ? (int)output->count : -1;
}

int __cdecl _vsnwprintf(WCHAR *Buffer, size_t Count, const WCHAR *Format, va_list Arguments)
{
    struct format_output output = {.wide = (uint16_t *)Buffer, .capacity = Count};
    uint16_t nothing;
    if (Buffer == NULL)
        output = (struct format_output){.wide = &nothing, .capacity = 0};
    format_text(&output, Format, Arguments);
    return finish(&output);
}

int __cdecl _vsnprintf(char *Buffer, size_t Count, const char *Format, va_list Arguments)
{
    struct format_output output = {.narrow = Buffer, .capacity = Buffer == NULL ? 0 : Count};
    format_text(&output, Format, Arguments);
    return finish(&output);
}

static int __cdecl host_snwprintf(WCHAR *buffer, size_t count, const WCHAR *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int written = _vsnwprintf(buffer, count, format, arguments);
    va_end(arguments);
    return written;
}

static int __cdecl host_snprintf(char *buffer, size_t count, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int written = _vsnprintf(buffer, count, format, arguments);
    va_end(arguments);
    return written;
}

static void print(const char *format, va_list arguments)
{
    char text[DBGPRINT_LIMIT];
    struct format_output output = {.narrow = text, .capacity = sizeof text};
    format_text(&output, format, arguments);
    const struct actor *actor = actor_current();
    struct host_event *event =
        log_event(HOST_EVENT_PRINTED, actor == NULL ? current_host->operation : actor->operation);
    log_data(event, text, output.count < sizeof text ? output.count : sizeof text);
}

ULONG __cdecl DbgPrint(PCSTR Format, ...)
{
    va_list arguments;
    va_start(arguments, Format);
    print(Format, arguments);
    va_end(arguments);
    return (ULONG)STATUS_SUCCESS;
}

ULONG __cdecl DbgPrintEx(ULONG ComponentId, ULONG Level, PCSTR Format, ...)
{
    (void)ComponentId;
    (void)Level;
    va_list arguments;
    va_start(arguments, Format);
    print(Format, arguments);
    va_end(arguments);
    return (ULONG)STATUS_SUCCESS;
}

VOID NTAPI DbgBreakPoint(VOID)
{
    rule_broken("DebugBreakUsage", "DbgBreakPoint was called, and no debugger is there");
}

VOID NTAPI RtlAssert(PVOID FailedAssertion, PVOID FileName, ULONG LineNumber, PCHAR Message)
{
    const char *file = FileName;
    for (const char *letter = FileName; letter != NULL && *letter != 0; letter++)
        if (*letter == '/' || *letter == '\\')
            file = letter + 1;
    crash_now("assertion failed: %s%s%s (%s:%u)", (const char *)FailedAssertion, Message == NULL ? "" : ", ",
              Message == NULL ? "" : Message, file == NULL ? "?" : file, LineNumber);
}

DECLSPEC_NORETURN VOID NTAPI KeBugCheckEx(ULONG BugCheckCode, ULONG_PTR BugCheckParameter1,
                                          ULONG_PTR BugCheckParameter2, ULONG_PTR BugCheckParameter3,
                                          ULONG_PTR BugCheckParameter4)
{
    (void)BugCheckParameter2;
    (void)BugCheckParameter3;
    (void)BugCheckParameter4;
    /* Parameters that are addresses differ between processes; the first often is a small number that says what
     * happened. */
    if (BugCheckParameter1 < UINT32_MAX)
        crash_now("the driver called for bug check 0x%X, first parameter 0x%llX", BugCheckCode,
                  (unsigned long long)BugCheckParameter1);
    crash_now("the driver called for bug check 0x%X", BugCheckCode);
}

VOID NTAPI ExRaiseStatus(NTSTATUS Status)
{
    crash_now("exception 0x%08X was raised, and nobody handles it", (unsigned)Status);
}

static void *host_memcpy(void *destination, const void *source, size_t length)
{
    uintptr_t to = (uintptr_t)destination;
    uintptr_t from = (uintptr_t)source;
    if (length != 0 && to != from && (to < from ? from - to : to - from) < length)
        rule_broken("DRIVER_VERIFIER_DETECTED_VIOLATION",
                    "memcpy was given ranges that overlap by %llu bytes (first parameter 0xF0)",
                    (unsigned long long)(length - (to < from ? from - to : to - from)));
    check_range(source, length, 0, __builtin_return_address(0));
    check_range(destination, length, ACCESS_WRITE, __builtin_return_address(0));
    return memmove(destination, source, length);
}

static void *host_memmove(void *destination, const void *source, size_t length)
{
    check_range(source, length, 0, __builtin_return_address(0));
    check_range(destination, length, ACCESS_WRITE, __builtin_return_address(0));
    return memmove(destination, source, length);
}

static void *host_memset(void *destination, int value, size_t length)
{
    check_range(destination, length, ACCESS_WRITE, __builtin_return_address(0));
    return memset(destination, value, length);
}

static int host_memcmp(const void *left, const void *right, size_t length)
{
    check_range(left, length, 0, __builtin_return_address(0));
    check_range(right, length, 0, __builtin_return_address(0));
    return memcmp(left, right, length);
}

static size_t host_wcslen(const WCHAR *text)
{
    size_t length = 0;
    while (text[length] != 0)
        length += 1;
    return length;
}

const struct export runtime_exports[] = {
    {"memcpy", (void *)(uintptr_t)host_memcpy},
    {"memmove", (void *)(uintptr_t)host_memmove},
    {"memset", (void *)(uintptr_t)host_memset},
    {"memcmp", (void *)(uintptr_t)host_memcmp},
    {"__tsan_memcpy", (void *)(uintptr_t)host_memcpy},
    {"__tsan_memmove", (void *)(uintptr_t)host_memmove},
    {"__tsan_memset", (void *)(uintptr_t)host_memset},
    EXPORT(memchr),
    EXPORT(strlen),
    EXPORT(strnlen),
    EXPORT(strcmp),
    EXPORT(strncmp),
    EXPORT(strchr),
    EXPORT(strrchr),
    EXPORT(strstr),
    EXPORT(strcpy),
    EXPORT(strncpy),
    EXPORT(strcat),
    {"wcslen", (void *)(uintptr_t)host_wcslen},
    EXPORT(_vsnwprintf),
    EXPORT(_vsnprintf),
    {"_snwprintf", (void *)(uintptr_t)host_snwprintf},
    {"_snprintf", (void *)(uintptr_t)host_snprintf},
    EXPORT(DbgPrint),
    EXPORT(DbgPrintEx),
    EXPORT(DbgBreakPoint),
    EXPORT(RtlAssert),
    EXPORT(KeBugCheckEx),
    EXPORT(ExRaiseStatus),
    EXPORTS_END,
};
