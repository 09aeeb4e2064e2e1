/* SPDX-License-Identifier: MIT
 *
 * Memory blocks and counted strings of the runtime library: Rtl*, byte order, debug output, assertions.
 *
 * RtlCopyMemory and kin are macros over the C library's functions, as on x64 Windows, where ntoskrnl exports those
 * too.
 */
#ifndef NT_STRING_H
#define NT_STRING_H

#include <string.h>

#include "ntdef.h"

#define RtlMoveMemory(Destination, Source, Length)  memmove((Destination), (Source), (Length))
#define RtlCopyMemory(Destination, Source, Length)  memcpy((Destination), (Source), (Length))
#define RtlFillMemory(Destination, Length, Fill)    memset((Destination), (Fill), (Length))
#define RtlZeroMemory(Destination, Length)          memset((Destination), 0, (Length))
#define RtlEqualMemory(Destination, Source, Length) (!memcmp((Destination), (Source), (Length)))
#define RtlCopyBytes                                RtlCopyMemory
#define RtlZeroBytes                                RtlZeroMemory
#define RtlFillBytes                                RtlFillMemory
NTSYSAPI SIZE_T NTAPI RtlCompareMemory(const VOID *Source1, const VOID *Source2, SIZE_T Length);

/* Not elided although the memory is dead afterwards. */
FORCEINLINE PVOID RtlSecureZeroMemory(PVOID Pointer, SIZE_T Length)
{
    memset(Pointer, 0, Length);
    __asm__ __volatile__("" : : "r"(Pointer) : "memory");
    return Pointer;
}

#define RtlUshortByteSwap(value)    __builtin_bswap16((USHORT)(value))
#define RtlUlongByteSwap(value)     __builtin_bswap32((ULONG)(value))
#define RtlUlonglongByteSwap(value) __builtin_bswap64((ULONGLONG)(value))
#ifndef _byteswap_ushort
#define _byteswap_ushort(value) __builtin_bswap16(value)
#define _byteswap_ulong(value)  __builtin_bswap32(value)
#define _byteswap_uint64(value) __builtin_bswap64(value)
#endif

NTSYSAPI VOID NTAPI RtlInitUnicodeString(PUNICODE_STRING DestinationString, PCWSTR SourceString);
NTSYSAPI VOID NTAPI RtlInitAnsiString(PANSI_STRING DestinationString, PCSZ SourceString);
NTSYSAPI VOID NTAPI RtlCopyUnicodeString(PUNICODE_STRING DestinationString, PCUNICODE_STRING SourceString);
NTSYSAPI NTSTATUS NTAPI RtlAppendUnicodeStringToString(PUNICODE_STRING Destination, PCUNICODE_STRING Source);
NTSYSAPI NTSTATUS NTAPI RtlAppendUnicodeToString(PUNICODE_STRING Destination, PCWSTR Source);
NTSYSAPI LONG NTAPI RtlCompareUnicodeString(PCUNICODE_STRING String1, PCUNICODE_STRING String2,
                                            BOOLEAN CaseInSensitive);
NTSYSAPI BOOLEAN NTAPI RtlEqualUnicodeString(PCUNICODE_STRING String1, PCUNICODE_STRING String2,
                                             BOOLEAN CaseInSensitive);
NTSYSAPI NTSTATUS NTAPI RtlIntegerToUnicodeString(ULONG Value, ULONG Base, PUNICODE_STRING String);
NTSYSAPI NTSTATUS NTAPI RtlUnicodeStringToInteger(PCUNICODE_STRING String, ULONG Base, PULONG Value);
NTSYSAPI NTSTATUS NTAPI RtlStringFromGUID(const GUID *Guid, PUNICODE_STRING GuidString);
NTSYSAPI NTSTATUS NTAPI RtlGUIDFromString(PCUNICODE_STRING GuidString, GUID *Guid);
NTSYSAPI VOID NTAPI RtlFreeUnicodeString(PUNICODE_STRING UnicodeString);

FORCEINLINE VOID RtlInitEmptyUnicodeString(PUNICODE_STRING String, PWCHAR Buffer, USHORT BufferSize)
{
    String->Length = 0;
    String->MaximumLength = BufferSize;
    String->Buffer = Buffer;
}

typedef struct _OSVERSIONINFOW
{
    ULONG dwOSVersionInfoSize;
    ULONG dwMajorVersion;
    ULONG dwMinorVersion;
    ULONG dwBuildNumber;
    ULONG dwPlatformId;
    WCHAR szCSDVersion[128];
} OSVERSIONINFOW, *POSVERSIONINFOW, RTL_OSVERSIONINFOW, *PRTL_OSVERSIONINFOW;
NTSYSAPI NTSTATUS NTAPI RtlGetVersion(PRTL_OSVERSIONINFOW VersionInformation);

/* A host's C library has no such names, and its wide characters are not ours: the kernel formats. */
#if NT_HOST
int _snprintf(char *Buffer, size_t Count, const char *Format, ...);
int _snwprintf(WCHAR *Buffer, size_t Count, const WCHAR *Format, ...);
#endif

ULONG __cdecl DbgPrint(PCSTR Format, ...);
ULONG __cdecl DbgPrintEx(ULONG ComponentId, ULONG Level, PCSTR Format, ...);
NTSYSAPI VOID NTAPI DbgBreakPoint(VOID);
NTSYSAPI VOID NTAPI RtlAssert(PVOID FailedAssertion, PVOID FileName, ULONG LineNumber, PCHAR Message);

#define DPFLTR_IHVDRIVER_ID  77
#define DPFLTR_IHVNETWORK_ID 81
#define DPFLTR_ERROR_LEVEL   0
#define DPFLTR_WARNING_LEVEL 1
#define DPFLTR_TRACE_LEVEL   2
#define DPFLTR_INFO_LEVEL    3

/* Checked builds (DBG=1) test assertions; free builds do not evaluate them. */
#if DBG
#define ASSERT(condition) \
    ((!(condition)) ? (RtlAssert((PVOID)(#condition), (PVOID)(__FILE__), __LINE__, NULL), FALSE) : TRUE)
#define ASSERTMSG(message, condition) \
    ((!(condition)) ? (RtlAssert((PVOID)(#condition), (PVOID)(__FILE__), __LINE__, (PCHAR)(message)), FALSE) : TRUE)
#define KdPrint(arguments)   DbgPrint arguments
#define KdPrintEx(arguments) DbgPrintEx arguments
#define KdBreakPoint()       DbgBreakPoint()
#else
#define ASSERT(condition)             ((void)0)
#define ASSERTMSG(message, condition) ((void)0)
#define KdPrint(arguments)            ((void)0)
#define KdPrintEx(arguments)          ((void)0)
#define KdBreakPoint()                ((void)0)
#endif
#define RTL_SOFT_ASSERT(condition)       ASSERT(condition)
#define RTL_VERIFY(condition)            (DBG ? ASSERT(condition) : (void)(condition))
#define NT_ASSERT(condition)             ((void)ASSERT(condition))
#define NT_ASSERTMSG(message, condition) ((void)ASSERTMSG(message, condition))
#define NT_VERIFY(condition)             ((void)(!(condition) ? (void)ASSERT(condition) : (void)0))
#define NT_FRE_ASSERT(condition)         NT_ASSERT(condition)
#define NT_ANALYSIS_ASSUME(condition)    ((void)0)

#endif
