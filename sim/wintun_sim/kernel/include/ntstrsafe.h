/* SPDX-License-Identifier: MIT
 *
 * Counted string functions: learn.microsoft.com/windows-hardware/drivers/ddi/ntstrsafe/. IRQL = PASSIVE_LEVEL.
 *
 * The WDK implements them inline over ntoskrnl's _vsnprintf and _vsnwprintf, so those are what an image imports. Wide
 * characters have 16 bits: a host kernel exports a formatter of its own under that name, never the C library's. Sizes
 * are in characters (Cch) or bytes (Cb), terminator included.
 */
#ifndef NT_NTSTRSAFE_H
#define NT_NTSTRSAFE_H

#include "wdm.h"

#define NTSTRSAFE_MAX_CCH                2147483647
#define NTSTRSAFE_MAX_LENGTH             (NTSTRSAFE_MAX_CCH - 1)
#define NTSTRSAFE_UNICODE_STRING_MAX_CCH (0xFFFF / sizeof(WCHAR))
#define STRSAFE_MAX_CCH                  NTSTRSAFE_MAX_CCH

int __cdecl _vsnprintf(char *Buffer, size_t Count, const char *Format, va_list Arguments);
int __cdecl _vsnwprintf(WCHAR *Buffer, size_t Count, const WCHAR *Format, va_list Arguments);

/* The destination always ends with a terminator; what does not fit is cut off and answered STATUS_BUFFER_OVERFLOW. */
#define NT_STRSAFE(suffix, character, formatter)                                                                    \
    FORCEINLINE NTSTATUS RtlStringCchLength##suffix(const character *String, size_t MaximumCount, size_t *Length)   \
    {                                                                                                               \
        size_t length = 0;                                                                                          \
        if (Length != NULL)                                                                                         \
            *Length = 0;                                                                                            \
        if (String == NULL || MaximumCount > NTSTRSAFE_MAX_CCH)                                                     \
            return STATUS_INVALID_PARAMETER;                                                                        \
        while (length < MaximumCount && String[length] != 0)                                                        \
            length++;                                                                                               \
        if (length == MaximumCount)                                                                                 \
            return STATUS_INVALID_PARAMETER;                                                                        \
        if (Length != NULL)                                                                                         \
            *Length = length;                                                                                       \
        return STATUS_SUCCESS;                                                                                      \
    }                                                                                                               \
    FORCEINLINE NTSTATUS RtlStringCbLength##suffix(const character *String, size_t MaximumBytes, size_t *Length)    \
    {                                                                                                               \
        NTSTATUS status = RtlStringCchLength##suffix(String, MaximumBytes / sizeof(character), Length);             \
        if (Length != NULL)                                                                                         \
            *Length *= sizeof(character);                                                                           \
        return status;                                                                                              \
    }                                                                                                               \
    FORCEINLINE NTSTATUS RtlStringCchCopy##suffix(character *Destination, size_t Count, const character *Source)    \
    {                                                                                                               \
        size_t position = 0;                                                                                        \
        if (Count == 0 || Count > NTSTRSAFE_MAX_CCH)                                                                \
            return STATUS_INVALID_PARAMETER;                                                                        \
        for (; position < Count - 1 && Source[position] != 0; position++)                                           \
            Destination[position] = Source[position];                                                               \
        Destination[position] = 0;                                                                                  \
        return Source[position] == 0 ? STATUS_SUCCESS : STATUS_BUFFER_OVERFLOW;                                     \
    }                                                                                                               \
    FORCEINLINE NTSTATUS RtlStringCbCopy##suffix(character *Destination, size_t Bytes, const character *Source)     \
    {                                                                                                               \
        return RtlStringCchCopy##suffix(Destination, Bytes / sizeof(character), Source);                            \
    }                                                                                                               \
    FORCEINLINE NTSTATUS RtlStringCchVPrintf##suffix(character *Destination, size_t Count, const character *Format, \
                                                     va_list Arguments)                                             \
    {                                                                                                               \
        int written;                                                                                                \
        if (Count == 0 || Count > NTSTRSAFE_MAX_CCH)                                                                \
            return STATUS_INVALID_PARAMETER;                                                                        \
        written = formatter(Destination, Count - 1, Format, Arguments);                                             \
        if (written >= 0 && (size_t)written < Count)                                                                \
        {                                                                                                           \
            Destination[written] = 0;                                                                               \
            return STATUS_SUCCESS;                                                                                  \
        }                                                                                                           \
        Destination[Count - 1] = 0;                                                                                 \
        return STATUS_BUFFER_OVERFLOW;                                                                              \
    }                                                                                                               \
    static __attribute__((unused))                                                                                  \
    NTSTATUS RtlStringCchPrintf##suffix(character *Destination, size_t Count, const character *Format, ...)         \
    {                                                                                                               \
        va_list arguments;                                                                                          \
        NTSTATUS status;                                                                                            \
        va_start(arguments, Format);                                                                                \
        status = RtlStringCchVPrintf##suffix(Destination, Count, Format, arguments);                                \
        va_end(arguments);                                                                                          \
        return status;                                                                                              \
    }                                                                                                               \
    static __attribute__((unused))                                                                                  \
    NTSTATUS RtlStringCbPrintf##suffix(character *Destination, size_t Bytes, const character *Format, ...)          \
    {                                                                                                               \
        va_list arguments;                                                                                          \
        NTSTATUS status;                                                                                            \
        va_start(arguments, Format);                                                                                \
        status = RtlStringCchVPrintf##suffix(Destination, Bytes / sizeof(character), Format, arguments);            \
        va_end(arguments);                                                                                          \
        return status;                                                                                              \
    }
NT_STRSAFE(A, char, _vsnprintf)
NT_STRSAFE(W, WCHAR, _vsnwprintf)

FORCEINLINE NTSTATUS RtlUnicodeStringVPrintf(PUNICODE_STRING DestinationString, PCWSTR Format, va_list Arguments)
{
    size_t capacity = DestinationString->MaximumLength / sizeof(WCHAR);
    int written;

    if (DestinationString->Length > DestinationString->MaximumLength ||
        DestinationString->Length % sizeof(WCHAR) != 0 || DestinationString->MaximumLength % sizeof(WCHAR) != 0 ||
        (DestinationString->Buffer == NULL && DestinationString->MaximumLength != 0))
        return STATUS_INVALID_PARAMETER;
    if (capacity == 0)
        return Format[0] == 0 ? STATUS_SUCCESS : STATUS_BUFFER_OVERFLOW;
    written = _vsnwprintf(DestinationString->Buffer, capacity, Format, Arguments);
    if (written < 0 || (size_t)written > capacity)
    {
        DestinationString->Length = (USHORT)(capacity * sizeof(WCHAR));
        return STATUS_BUFFER_OVERFLOW;
    }
    DestinationString->Length = (USHORT)((size_t)written * sizeof(WCHAR));
    return STATUS_SUCCESS;
}

/* Functions with variable arguments cannot be inlined, so each image has its own copy, as with the WDK's. */
static __attribute__((unused)) NTSTATUS RtlUnicodeStringPrintf(PUNICODE_STRING DestinationString, PCWSTR Format, ...)
{
    va_list arguments;
    NTSTATUS status;

    va_start(arguments, Format);
    status = RtlUnicodeStringVPrintf(DestinationString, Format, arguments);
    va_end(arguments);
    return status;
}

FORCEINLINE NTSTATUS RtlUnicodeStringInit(PUNICODE_STRING DestinationString, PCWSTR SourceString)
{
    size_t length = 0;

    *DestinationString = (UNICODE_STRING){0, 0, NULL};
    if (SourceString == NULL)
        return STATUS_SUCCESS;
    while (length < NTSTRSAFE_UNICODE_STRING_MAX_CCH && SourceString[length] != 0)
        length++;
    if (length == NTSTRSAFE_UNICODE_STRING_MAX_CCH)
        return STATUS_INVALID_PARAMETER;
    DestinationString->Length = (USHORT)(length * sizeof(WCHAR));
    DestinationString->MaximumLength = (USHORT)((length + 1) * sizeof(WCHAR));
    DestinationString->Buffer = (PWCH)SourceString;
    return STATUS_SUCCESS;
}

#endif
